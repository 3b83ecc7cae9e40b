// The load generator, on bare sockets so that it costs less than what it measures. A line of JSON in, one out:
// { port, seconds, connections, rate, requests } → { answered, failed, perSecond, p50Ms, p99Ms }.
// Without a rate each connection asks as soon as it was answered; with one, requests are due at fixed times and their
// latency counts from when they were due, so that a stalled proxy cannot hide its stall.
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

interface Job {
  readonly port: number
  readonly seconds: number
  readonly connections: number
  readonly rate: number | null
  readonly requests: readonly string[]
}

createInterface({ input: process.stdin })
  .on('line', (line) => void run(JSON.parse(line) as Job).then((result) => console.log(JSON.stringify(result))))
  .on('close', () => process.exit(0))

async function run(job: Job): Promise<object> {
  const times: number[] = []
  let failed = 0
  let next = 0
  const began = performance.now()
  const end = began + job.seconds * 1_000
  const dueAt = (index: number) => (job.rate === null ? null : began + (index * 1_000) / job.rate)
  const requests = job.requests.map((one) => Buffer.from(one))

  const worker = async () => {
    const ask = await openConnection(job.port)
    for (;;) {
      const index = next
      next += 1
      const due = dueAt(index)
      const wait = due === null ? 0 : due - performance.now()
      if ((due ?? performance.now()) >= end) break
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
      const from = due ?? performance.now()
      const status = await ask(requests[index % requests.length]!)
      if (status === 200) times.push(performance.now() - from)
      else failed += 1
    }
    ask.close()
  }
  await Promise.all(Array.from({ length: job.connections }, worker))
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
  const seconds = (performance.now() - began) / 1_000
  return { answered: times.length, failed, perSecond: times.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99) }
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
