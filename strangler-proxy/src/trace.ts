import type { IncomingMessage, ServerResponse } from 'node:http'
import { acceptTraceparent, beginSpan, failSpan, makesSpans } from '@banyan/kit/service'
import type { Decision } from './decide.ts'
import type { Outcome } from './forward.ts'
import type { Route } from './routes/route.ts'
import type { Upstream } from './upstreams.ts'

// A span for the request, and below it one for each hold and each sending. Where nothing makes spans, what remains is
// a traceparent for the upstream, so that the logs of all who had the request name one trace.

/** What the spans of a request are made with. */
export interface RequestTrace {
  /** A wait at the gate begins; call the answer with how it ended. */
  held(): (how: string) => void
  /** The request goes to an upstream, which is told that it is this sending's child. */
  sent(decision: Decision, upstream: Upstream): (outcome: Outcome) => void
}

/** Begins the trace of a request whose headers are clean: the client's where it told a valid one, else a new one. */
export function traceRequest(req: IncomingMessage, res: ServerResponse, route: Route | null): RequestTrace {
  const told = header(req.headers.traceparent)
  req.headers.traceparent = acceptTraceparent(told)
  if (!makesSpans()) return UNTRACED
  const method = req.method ?? 'GET'
  const attributes = {
    'http.request.method': method,
    'http.route': route?.path ?? '',
    'url.path': req.url?.split('?')[0] ?? '',
    'banyan.context': route?.context ?? '',
  }
  const { span, traceparent } = beginSpan(`${method} ${route?.path ?? 'unrouted'}`, {
    kind: 'server',
    parent: told ?? null,
    attributes,
  })
  if (traceparent === undefined) return UNTRACED
  req.headers.traceparent = traceparent
  let heldMs = 0
  let sendings = 0
  res.once('close', () => {
    const status = res.headersSent ? res.statusCode : 499
    span.setAttributes({ 'http.response.status_code': status, 'banyan.hold_ms': heldMs, 'banyan.sendings': sendings })
    if (status >= 500) failSpan(span, String(status))
    span.end()
  })
  return {
    held() {
      const began = performance.now()
      const hold = beginSpan('hold', { parent: traceparent }).span
      return (how) => {
        heldMs += performance.now() - began
        hold.setAttribute('banyan.hold', how)
        hold.end()
      }
    },
    sent({ side, reason }, upstream) {
      const { hostname, port } = upstream.target
      const sending = beginSpan(`${method} ${side}`, {
        kind: 'client',
        parent: traceparent,
        attributes: {
          ...{ 'http.request.method': method, 'server.address': hostname, 'server.port': port },
          ...{ 'http.request.resend_count': sendings, 'banyan.side': side, 'banyan.reason': reason },
        },
      })
      sendings += 1
      req.headers.traceparent = sending.traceparent ?? traceparent
      return (outcome) => {
        sending.span.setAttribute('banyan.outcome', outcome.kind)
        if (outcome.kind === 'answered') sending.span.setAttribute('http.response.status_code', outcome.status)
        if (outcome.kind === 'failed') failSpan(sending.span, outcome.cause)
        sending.span.end()
      }
    },
  }
}

const ignore = () => undefined
const UNTRACED: RequestTrace = { held: () => ignore, sent: () => ignore }

function header(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}
