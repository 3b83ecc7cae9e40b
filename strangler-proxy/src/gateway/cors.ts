import type { IncomingMessage, ServerResponse } from 'node:http'

/** From which origins browsers may call, said at this one place; from the route table's `cors`. */
export interface CorsSettings {
  readonly origins: readonly string[]
  /** Whether cookies and tokens of the browser may come along. */
  readonly credentials: boolean
  readonly headers: readonly string[]
  /** Headers of answers that scripts may read. */
  readonly expose: readonly string[]
  readonly maxAgeMs: number
}

export interface Cors {
  /** What every answer says to an origin, names and values in turn; put together once for each that is allowed. */
  said(origin: string | undefined): readonly string[]
  /** Whether a request is a browser's question in advance, which is answered here and goes nowhere. */
  isAsking(req: IncomingMessage): boolean
  answer(req: IncomingMessage, res: ServerResponse): void
  /**
   * Whether a page of another origin, one that is not allowed, asks. For what browsers let any page do, and with their
   * cookies: open a WebSocket (RFC 6455 §10.2).
   */
  isForeign(req: IncomingMessage): boolean
}

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE'

/**
 * An answer that depends on who asks must not be kept for somebody else; nor one to who does not say, which a browser
 * would find in its cache, without the permission, when a script asks for the same.
 */
const VARY = ['Vary', 'Origin']

export function createCors({ origins, credentials, headers, expose, maxAgeMs }: CorsSettings): Cors {
  const permission = (origin: string) => [
    ...[...VARY, 'Access-Control-Allow-Origin', origin],
    ...(credentials ? ['Access-Control-Allow-Credentials', 'true'] : []),
  ]
  const exposed = expose.length > 0 ? ['Access-Control-Expose-Headers', expose.join(', ')] : []
  const toAnswers = new Map(origins.map((origin) => [origin, [...permission(origin), ...exposed]]))
  const toQuestions = [
    ...['Access-Control-Allow-Methods', METHODS],
    ...(headers.length > 0 ? ['Access-Control-Allow-Headers', headers.join(', ')] : []),
    ...['Access-Control-Max-Age', String(Math.floor(maxAgeMs / 1000))],
  ]
  const isAllowed = (origin: string | undefined): origin is string => origin !== undefined && toAnswers.has(origin)
  return {
    said: (origin) => (origin === undefined ? VARY : (toAnswers.get(origin) ?? VARY)),
    isAsking: ({ method, headers: asked }) =>
      method === 'OPTIONS' && asked.origin !== undefined && asked['access-control-request-method'] !== undefined,
    isForeign: ({ headers: { origin, host } }) =>
      origin !== undefined && !isAllowed(origin) && URL.parse(origin)?.host !== host,
    answer({ headers: { origin } }, res) {
      const permitted = isAllowed(origin) ? [...permission(origin), ...toQuestions] : VARY
      res.writeHead(204, [...permitted, 'Content-Length', '0']).end()
    },
  }
}
