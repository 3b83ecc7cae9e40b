import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { Agent, request } from 'undici'
import { type Observation, observe } from './observation.ts'
import type { Ask } from './step.ts'
import { TELL, type Teller } from './tell.ts'

/** What requests did besides answering. Reading it must not change it. */
export type Effects = {
  /** Forgets what has happened so far. */
  begin(): Promise<void>
  /** What has happened since the last call of either; complete, so it waits for events still on their way. */
  collect(): Promise<{ rows?: Record<string, unknown>; events?: readonly unknown[] }>
  close(): Promise<void>
}

export type Side = {
  name: string
  ask(ask: Ask): Promise<Observation>
  effects?: Effects | undefined
  close(): Promise<void>
}

/** @returns The value of `Authorization` for a person of a scenario; undefined for one this side does not know. */
export type Identify = (who: string, claims?: Readonly<Record<string, unknown>>) => Promise<string | undefined>

const DEADLINE_MS = 10_000

/** A side reached over HTTP; connections are kept. */
export function createSide(options: {
  name: string
  baseUrl: string
  identify?: Identify | undefined
  /** The names that `identify` knows, for the refusal of another. */
  identities?: readonly string[]
  effects?: Effects | undefined
  teller?: Teller | undefined
}): Side {
  const { name, baseUrl, identify, identities = [], effects, teller } = options
  const dispatcher = new Agent({ connections: 64, headersTimeout: DEADLINE_MS, bodyTimeout: DEADLINE_MS })
  return {
    name,
    effects,
    async ask(ask) {
      if (ask.method === TELL) {
        if (!teller) throw new Error(`${name} can be told of nothing; name its database and its broker`)
        await teller.tell(ask.path, ask.body ?? 'null')
        return observe(204, {}, '')
      }
      const authorization = ask.as === undefined ? undefined : await identify?.(ask.as, ask.claims)
      if (ask.as !== undefined && authorization === undefined)
        throw new Error(`${name} has no identity "${ask.as}"; it has: ${identities.join(', ') || 'none'}`)
      const answer = await request(baseUrl.replace(/\/$/, '') + ask.path, {
        dispatcher,
        method: ask.method as 'GET',
        headers: { ...ask.headers, ...(authorization === undefined ? {} : { authorization }) },
        ...(ask.body === undefined ? {} : { body: ask.body }),
        signal: AbortSignal.timeout(DEADLINE_MS),
      })
      return observe(answer.statusCode, answer.headers, textOf(Buffer.from(await answer.body.arrayBuffer())))
    },
    async close() {
      await teller?.close()
      await effects?.close()
      await dispatcher.destroy()
    },
  }
}

/** What is no text is told apart, and not kept. */
function textOf(body: Buffer): string {
  return isUtf8(body) ? body.toString() : `sha256 ${createHash('sha256').update(body).digest('hex')}`
}
