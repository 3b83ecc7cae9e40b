/** The span of a request that this process answers. */
import type { Request, Response } from 'express'
import { answered } from './answered.ts'
import { beginSpan, failSpan } from './span.ts'

/**
 * Begins a span that ends with the answer: a child of the caller's, as its header says, or the first of a trace.
 * @returns The `traceparent` to work under; undefined where nothing makes spans.
 */
export function traceRequest(req: Request, res: Response): string | undefined {
  const { span, traceparent } = beginSpan(req.method, {
    kind: 'server',
    parent: req.get('traceparent') ?? null,
    attributes: { 'http.request.method': req.method, 'url.path': req.path, 'url.scheme': req.protocol },
  })
  if (traceparent === undefined) return undefined
  res.once('close', () => {
    const { route, status } = answered(req, res)
    span.updateName(`${req.method} ${route}`)
    span.setAttributes({ 'http.route': route, 'http.response.status_code': status })
    if (status >= 500) failSpan(span, String(status))
    span.end()
  })
  return traceparent
}
