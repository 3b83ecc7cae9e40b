import { Agent, request } from 'node:http'
import { until } from './raw.ts'

export interface SteadyLoad {
  /** Waits until so many more requests have been answered. */
  answered(more: number): Promise<void>
  /** Ends it, and says what did not end in a 200: a request each. */
  stop(): Promise<{ readonly answered: number; readonly failed: readonly string[] }>
}

export interface LoadRequest {
  readonly method: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

export interface LoadOptions {
  readonly perSecond: number
  /** Where the next request goes. */
  port(): number
  next(index: number): LoadRequest
}

/**
 * What is due while so many wait is not sent: on a machine that does not come to the rate they would pile up, until more
 * wait than any proxy can answer between its SIGTERM and its end.
 */
const MOST_OPEN = 250

/**
 * So many requests a second over kept connections, each at its time whatever became of the others, up to `MOST_OPEN` at a
 * time; none is sent twice.
 */
export function startLoad({ perSecond, port, next }: LoadOptions): SteadyLoad {
  const agent = new Agent({ keepAlive: true })
  const began = performance.now()
  const failed: string[] = []
  let due = 0
  let sent = 0
  let answered = 0

  const ask = (index: number) =>
    new Promise<void>((resolve) => {
      const { method, headers = {}, body } = next(index)
      const fail = (why: string) => {
        failed.push(`${method} ${index}: ${why}`)
        resolve()
      }
      const asked = request({ agent, port: port(), path: '/api/goods', method, headers }, (answer) => {
        answer.resume()
        answer.on('error', (error) => fail(error.message))
        answer.on('end', () => {
          if (answer.statusCode !== 200) return fail(String(answer.statusCode))
          answered += 1
          resolve()
        })
      })
      asked.on('error', (error) => fail(error.message))
      asked.end(body)
    })
  const open = new Set<Promise<void>>()
  const timer = setInterval(() => {
    for (; due < ((performance.now() - began) * perSecond) / 1_000; due++) {
      if (open.size >= MOST_OPEN) continue
      const one = ask(sent).finally(() => open.delete(one))
      open.add(one)
      sent += 1
    }
  }, 5)
  return {
    async answered(more) {
      const goal = answered + more
      await until(`${more} more requests are answered`, () => answered >= goal || failed.length > 0, 60_000)
    },
    async stop() {
      clearInterval(timer)
      await Promise.all(open)
      agent.destroy()
      return { answered, failed }
    },
  }
}
