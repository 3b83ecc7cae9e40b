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

/**
 * Says on every answer to an allowed origin that it may be read. Returns whether the request was a browser's question
 * in advance, which is answered here and goes nowhere.
 */
export type Cors = (req: IncomingMessage, res: ServerResponse) => boolean

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE'

/** @param settings null: upstreams see to it themselves, and this does nothing */
export function createCors(settings: CorsSettings | null): Cors {
  if (settings === null) return () => false
  const origins = new Set(settings.origins)
  return (req, res) => {
    // An answer that depends on who asks must not be kept for somebody else; nor one to who does not say, which a browser
    // would find in its cache, without the permission, when a script asks for the same.
    res.setHeader('Vary', 'Origin')
    const { origin } = req.headers
    if (origin === undefined) return false
    const isAsking = req.method === 'OPTIONS' && req.headers['access-control-request-method'] !== undefined
    if (origins.has(origin)) {
      res.setHeader('Access-Control-Allow-Origin', origin)
      if (settings.credentials) res.setHeader('Access-Control-Allow-Credentials', 'true')
      if (isAsking) {
        res.setHeader('Access-Control-Allow-Methods', METHODS)
        if (settings.headers.length > 0) res.setHeader('Access-Control-Allow-Headers', settings.headers.join(', '))
        res.setHeader('Access-Control-Max-Age', String(Math.floor(settings.maxAgeMs / 1000)))
      } else if (settings.expose.length > 0) {
        res.setHeader('Access-Control-Expose-Headers', settings.expose.join(', '))
      }
    }
    if (isAsking) res.writeHead(204, { 'Content-Length': 0 }).end()
    return isAsking
  }
}
