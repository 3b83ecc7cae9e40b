import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import type { Logger } from '@banyan/kit/service'
import type { Cookies } from '../cookies.ts'
import type { Route } from '../routes/route.ts'
import { tape } from './tape.ts'
import { createWho, isSampled } from './who.ts'
import { type OpenWriter, openWriter, type Writer } from './writer-thread.ts'

/** What an operator asks for. */
export interface Order {
  /** Of the sessions, between 0 and 1. */
  readonly share: number
  readonly requests: number
  readonly megabytes: number
  readonly minutes: number
}

/** How the current recording, or else the last one, is doing. */
export interface RecordingState {
  readonly on: boolean
  readonly file: string | null
  readonly since: string | null
  readonly until: string | null
  readonly share: number
  readonly written: number
  readonly bytes: number
  readonly dropped: number
  /** Why it ended; null while it runs. */
  readonly ended: string | null
}

/** One request that is listened to, or none. */
export interface Listening {
  readonly setCookie: string | null
  /** The answer's head has arrived; its body has not begun. */
  answered(from: IncomingMessage): void
  /** The request has ended, be it without an answer. */
  ended(): void
}

export interface Recorder {
  /** @param session the client's session where it is known already. Costs nothing while off; never throws. */
  listen(req: IncomingMessage, route: Route | null, session: string | null): Listening
  /** @throws Error when there is no folder, or a recording runs already */
  start(order: Order): RecordingState
  stop(why: string): Promise<RecordingState>
  state(): RecordingState
}

export interface RecorderOptions {
  readonly folder: string | undefined
  readonly claims: readonly string[]
  readonly personal: Readonly<Record<string, readonly string[]>>
  readonly cookies: Pick<Cookies, 'session' | 'newSession'>
  readonly counted: (what: 'written' | 'dropped') => void
  readonly logger: Logger
  readonly open?: OpenWriter
}

interface Current {
  readonly order: Order
  readonly started: number
  readonly writer: Writer
  readonly timer: NodeJS.Timeout
  requests: number
  listening: number
  /** Sessions that lack a request: what follows would not be whole, so it is left out. */
  readonly cut: Set<string>
}

const NOTHING: Listening = { setCookie: null, answered: () => undefined, ended: () => undefined }
/** Bodies are in memory while their request is on its way. */
const LISTENING_AT_MOST = 256
/** Each client without a cookie is a new one, so that they would pile up while nothing can be written. */
const CUT_AT_MOST = 10_000
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])
const IDLE = {
  on: false,
  file: null,
  since: null,
  until: null,
  share: 0,
  written: 0,
  bytes: 0,
  dropped: 0,
  ended: null,
}

/** Records sampled sessions for a replay. It observes: whatever goes wrong here, requests go on as without it. */
export function createRecorder(options: RecorderOptions): Recorder {
  const { logger, counted } = options
  const who = createWho(options.cookies)
  let state: RecordingState = IDLE
  let current: Current | null = null

  const drop = (recording: Current, session: string) => {
    recording.cut.add(session)
    state = { ...state, dropped: state.dropped + 1 }
    counted('dropped')
    if (recording.cut.size >= CUT_AT_MOST && recording === current) void end('too many sessions lack a request')
  }
  const end = async (why: string) => {
    const ending = current
    if (ending === null) return state
    current = null
    clearTimeout(ending.timer)
    state = { ...state, on: false, ended: why }
    logger.info({ file: state.file, written: state.written, why }, 'the recording has ended')
    await ending.writer.end()
    return state
  }

  function listen(recording: Current, req: IncomingMessage, route: Route | null, known: string | null): Listening {
    const { session, setCookie } = who(req, known)
    const unheard = { ...NOTHING, setCookie }
    if (!isSampled(session, recording.order.share) || recording.cut.has(session)) return unheard
    if (recording.listening >= LISTENING_AT_MOST) {
      drop(recording, session)
      return unheard
    }
    if (recording.requests >= recording.order.requests) {
      void end('its number of requests is reached')
      return unheard
    }
    const n = recording.requests++
    recording.listening++
    const { method = 'GET', url = '/', headers } = req
    const asked = {
      n,
      at: Math.round(performance.now() - recording.started),
      session,
      route: route?.path ?? null,
      method,
      url,
      headers,
    }
    const body = tape(req)
    let answer: { from: IncomingMessage; body: ReturnType<typeof tape> } | null = null
    return {
      setCookie,
      answered(from) {
        answer = { from, body: tape(from) }
      },
      ended() {
        recording.listening--
        if (recording !== current) return
        if (answer?.from.complete) {
          const { statusCode = 0, headers: answerHeaders } = answer.from
          const whole = { ...asked, body: body(), status: statusCode, answerHeaders, answerBody: answer.body() }
          if (!recording.writer.offer(whole)) drop(recording, session)
          // A client that went away from a read has changed nothing.
        } else if (!SAFE.has(method)) drop(recording, session)
      },
    }
  }

  return {
    listen(req, route, session) {
      if (current === null) return NOTHING
      try {
        return guard(listen(current, req, route, session), (error) => logger.warn({ err: error }, 'recording failed'))
      } catch (error) {
        logger.warn({ err: error }, 'recording failed')
        return NOTHING
      }
    },
    start(order) {
      if (options.folder === undefined) throw new Error('no RECORD_FOLDER is configured')
      if (current !== null) throw new Error('a recording runs already; stop it first')
      const at = new Date()
      const file = join(
        options.folder,
        `${at.toISOString().replaceAll(/[-:]|\.\d+/g, '')}-${randomBytes(3).toString('hex')}.jsonl`,
      )
      const open = options.open ?? openWriter
      const mine = () => current === made
      const made: Current = {
        ...{ order, started: performance.now(), requests: 0, listening: 0, cut: new Set() },
        timer: setTimeout(() => mine() && void end('its time is over'), order.minutes * 60_000).unref(),
        writer: open(
          {
            ...{ file, share: order.share, at: at.toISOString(), personal: options.personal, claims: options.claims },
            maxBytes: order.megabytes * 1024 * 1024,
          },
          {
            wrote(what) {
              if ('written' in what) {
                state = { ...state, written: state.written + 1, bytes: state.bytes + what.written }
                counted('written')
              } else if ('full' in what) {
                if (mine()) void end('its size is reached')
              } else {
                state = { ...state, dropped: state.dropped + 1 }
                counted('dropped')
              }
            },
            broke(why) {
              logger.warn({ err: why, file }, 'the recording cannot be written')
              if (mine()) void end(`it could not be written: ${why.message}`)
            },
          },
        ),
      }
      current = made
      const until = new Date(at.getTime() + order.minutes * 60_000).toISOString()
      state = { ...IDLE, on: true, file, since: at.toISOString(), until, share: order.share }
      return state
    },
    stop: end,
    state: () => state,
  }
}

/** What an observer throws stays with it. */
function guard(listening: Listening, failed: (error: unknown) => void): Listening {
  return {
    setCookie: listening.setCookie,
    answered: (from) => attempt(() => listening.answered(from), failed),
    ended: () => attempt(() => listening.ended(), failed),
  }
}

function attempt(act: () => void, failed: (error: unknown) => void): void {
  try {
    act()
  } catch (error) {
    failed(error)
  }
}
