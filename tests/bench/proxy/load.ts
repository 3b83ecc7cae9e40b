// The load generator, on bare sockets so that it costs less than what it measures. A line of JSON in, one out:
// { port, seconds, connections, rate, requests } → { answered, failed, perSecond, p50Ms, p99Ms, late99Ms }.
// Without a rate each connection asks as soon as it was answered; with one, requests are due at fixed times and their
// latency counts from when they were due, so that a stalled proxy cannot hide its stall. `late99Ms` is how much later
// than that this process itself woke up to send one, at its 99th percentile: what no proxy is to blame for.
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

interface Job {
  readonly port: number
  readonly seconds: number
  readonly connections: number
  readonly rate: number | null
  readonly requests: readonly string[]
}

/**
 * At a rate, what is due in the first half second is asked and not counted: after a pause, connections to the upstream are
 * opened anew then, as often as a proxy thinks fit, and of a short round that would be all of its slowest hundredth.
 */
const LEAD_MS = 500

createInterface({ input: process.stdin })
  .on('line', (line) => void run(JSON.parse(line) as Job).then((result) => console.log(JSON.stringify(result))))
  .on('close', () => process.exit(0))

async function run(job: Job): Promise<object> {
  const times: number[] = []
  const late: number[] = []
  let failed = 0
  let next = 0
  const requests = job.requests.map((one) => Buffer.from(one))
  // First all connections, then the first request: what is due while they are opened would wait for that.
  const connections = await Promise.all(Array.from({ length: job.connections }, () => openConnection(job.port)))
  const began = performance.now()
  const counted = began + (job.rate === null ? 0 : LEAD_MS)
  const end = counted + job.seconds * 1_000
  const dueAt = (index: number) => (job.rate === null ? null : began + (index * 1_000) / job.rate)

  const worker = async (ask: Ask) => {
    for (;;) {
      const index = next
      next += 1
      const due = dueAt(index)
      const wait = due === null ? 0 : due - performance.now()
      if ((due ?? performance.now()) >= end) break
      if (wait > 0) {
        await new Promise((resolve) => setTimeout(resolve, wait))
        if (due! >= counted) late.push(performance.now() - due!)
      }
      const from = due ?? performance.now()
      const status = await ask(requests[index % requests.length]!)
      if (status !== 200) failed += 1
      else if (from >= counted) times.push(performance.now() - from)
    }
    ask.close()
  }
  await Promise.all(connections.map(worker))
  const seconds = (performance.now() - counted) / 1_000
  return {
    ...{ answered: times.length, failed, perSecond: times.length / seconds },
    ...{ p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99), late99Ms: quantile(late, 0.99) },
  }
}

function quantile(values: number[], share: number): number {
  values.sort((a, b) => a - b)
  return values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0
}

interface Ask {
  (request: Buffer): Promise<number>
  close(): void
}

/** A keep-alive connection that understands just what the upstream answers: a head with a Content-Length. */
async function openConnection(port: number): Promise<Ask> {
  const socket: Socket = await new Promise((resolve, reject) => {
    const made = connect(port, '127.0.0.1', () => resolve(made))
    made.once('error', reject)
  })
  socket.setNoDelay(true)
  let received = ''
  let answered: (status: number) => void = () => undefined
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1')
    const head = received.indexOf('\r\n\r\n')
    if (head === -1) return
    const length = Number(/content-length: (\d+)/i.exec(received.slice(0, head))?.[1] ?? 0)
    if (received.length < head + 4 + length) return
    const status = Number(received.slice(9, 12))
    received = received.slice(head + 4 + length)
    answered(status)
  })
  socket.on('error', () => answered(0))
  socket.on('close', () => answered(0))
  const ask = (request: Buffer) =>
    new Promise<number>((resolve) => {
      answered = resolve
      socket.write(request)
    })
  return Object.assign(ask, { close: () => socket.destroy() })
}
