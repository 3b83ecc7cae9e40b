/** One HTTP exchange of JSON, its failures graded by what they mean. */
import { type Dispatcher, request } from 'undici'
import { Ambiguous, NotSent, Timeout } from './call-errors.ts'

export type Answer = {
  readonly status: number
  /** Parsed if it is JSON, text otherwise, undefined if empty. */
  readonly body: unknown
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

export type Attempt = {
  url: URL
  method: string
  headers: Record<string, string>
  body: string | undefined
  /** Milliseconds left. */
  leftMs: number
  callee: string
}

/** Failures before a byte of the request can have left. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** @throws NotSent, Ambiguous or Timeout. */
export async function attempt(what: Attempt, dispatcher: Dispatcher): Promise<Answer> {
  const about = { callee: what.callee, method: what.method, path: what.url.pathname }
  const signal = AbortSignal.timeout(Math.max(Math.ceil(what.leftMs), 1))
  try {
    const response = await request(what.url, {
      dispatcher,
      method: what.method as Dispatcher.HttpMethod,
      headers: what.headers,
      body: what.body ?? null,
      signal,
    })
    const text = await response.body.text()
    return {
      status: response.statusCode,
      headers: response.headers,
      body: read(text, response.headers['content-type']),
    }
  } catch (cause) {
    if (signal.aborted) throw new Timeout(about, what.leftMs)
    throw NOT_SENT.has(codeOf(cause)) ? new NotSent(about, 'unreachable', cause) : new Ambiguous(about, cause)
  }
}

function read(text: string, type: string | string[] | undefined): unknown {
  if (text === '') return undefined
  return /[/+]json\b/.test(String(type)) ? JSON.parse(text) : text
}

/** Node tries every address of a name and reports them together. */
function codeOf(error: unknown): string {
  const { code, errors } = error as { code?: string; errors?: unknown[] }
  return code ?? (errors?.length ? codeOf(errors[0]) : '')
}
