import { createHash } from 'node:crypto'
import { Agent, type IncomingMessage, request } from 'node:http'
import { type Observation, observe } from '@banyan/kit/parity/answers'
import { TAPE_BYTES, tape } from '../record/tape.ts'
import { textOf } from '../record/text-of.ts'
import type { Answer, Copy } from './copy.ts'
import { Unanswered } from './unanswered.ts'
import { createUnreachable } from './unreachable.ts'

/** Tells a side that nobody waits for this answer. Clients cannot send it: all of `Banyan-` is stripped from outside. */
const MIRRORED_HEADER = 'banyan-mirrored'

/** All types but streams of events, which never end. */
export const ANSWER_TYPES = /^(?!text\/event-stream)/i
const WITHIN_MS = 5_000

/** Asks a side what a client asked, once: whatever becomes of it, it is not sent again. */
export type AskSide = (copy: Copy, url: string) => Promise<Observation>

/**
 * @param atOnce connections to one address at most
 * @param now ms of a clock that only goes on
 */
export function createAskSide(atOnce: number, now: () => number = () => performance.now()): AskSide {
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce })
  const unreachable = createUnreachable(now)
  return (copy, base) => {
    const why = unreachable.why(base)
    if (why !== null) return Promise.reject(why)
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(base)
      const asked = request(
        {
          ...{ agent, hostname, port: port || 80, path: copy.url, method: copy.method },
          headers: { ...copy.headers, [MIRRORED_HEADER]: 'true' },
          signal: AbortSignal.timeout(WITHIN_MS),
        },
        (from) => {
          answerOf(from)
            .then((answer) => resolve(toObservation(answer)), reject)
            .catch(reject)
        },
      )
      asked.on('error', (error) => {
        unreachable.failed(base, error)
        reject(error)
      })
      asked.end()
    })
  }
}

function answerOf(from: IncomingMessage): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const body = tape(from, ANSWER_TYPES)
    let bytes = 0
    from.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > TAPE_BYTES) from.destroy(new Unanswered('more than is compared'))
    })
    from.on('error', reject)
    from.on('end', () => resolve({ status: from.statusCode ?? 0, headers: from.headers, body: body() }))
  })
}

/** The form that is compared. A coding is undone and belongs to the way, not to the answer. @throws Unanswered */
export function toObservation({ status, headers, body }: Answer): Observation {
  const { 'content-encoding': _coding, ...rest } = headers
  const read = textOf(body)
  if (read !== undefined && 'omitted' in read) throw new Unanswered(read.omitted)
  if (read === undefined || body === undefined || 'omitted' in body) return observe(status, rest, '')
  if (/[/+](json|xml)\b|^text\/|^$/i.test(read.type)) return observe(status, rest, read.text)
  // What is no text is told apart, and not kept.
  return observe(status, rest, `sha256 ${createHash('sha256').update(body.bytes).digest('hex')}`)
}
