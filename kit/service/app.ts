/** An Express app with what every service wants in front of its routes, and what must come after them. */
import { randomUUID } from 'node:crypto'
import express, { type Express, type RequestHandler } from 'express'
import helmet from 'helmet'
import { answered } from './answered.ts'
import type { Health } from './health.ts'
import type { Logger } from './logger.ts'
import type { Metrics } from './metrics.ts'
import { Problem } from './problem.ts'
import { problemDetails } from './problem-details.ts'
import type { Side } from './refusal.ts'
import { runInContext } from './request-context.ts'
import { traceRequest } from './server-span.ts'
import { acceptTraceparent } from './traceparent.ts'

/**
 * @param options.health, options.metrics Their routes are mounted here, before any parsing or logging.
 * @param options.bodyLimit The largest JSON body, e.g. `'1mb'`; 100 kB unless told.
 * @returns The app to put routes on; close it with `finishApp`.
 */
export function createApp(options: {
  logger: Logger
  metrics?: Metrics
  health?: Health
  bodyLimit?: string | number
}): Express {
  const app = express()
  app.disable('x-powered-by')
  if (options.health) app.use(options.health.routes)
  if (options.metrics) app.use(options.metrics.routes)
  app.use(helmet())
  app.use(inContext)
  app.use(accessLog(options.logger, options.metrics))
  app.use(express.json({ limit: options.bodyLimit ?? '100kb' }))
  return app
}

/** Adds, after all routes, the 404 and the error handler. */
export function finishApp(app: Express, options: { logger: Logger; side?: Side }): Express {
  app.use((req) => {
    throw new Problem(404, 'not-found', `There is no ${req.method} ${req.path} here.`)
  })
  app.use(problemDetails(options))
  return app
}

/** Ids from outside end up in logs and headers, so only harmless ones are taken over. */
const inContext: RequestHandler = (req, res, next) => {
  const received = req.get('x-request-id')
  const requestId = received && /^[\w.-]{1,64}$/.test(received) ? received : randomUUID()
  const traceparent = traceRequest(req, res) ?? acceptTraceparent(req.get('traceparent'))
  res.set('X-Request-Id', requestId)
  runInContext({ requestId, traceparent }, next)
}

function accessLog(logger: Logger, metrics: Metrics | undefined): RequestHandler {
  return (req, res, next) => {
    const started = performance.now()
    res.once('close', () => {
      const ms = performance.now() - started
      const { route, status } = answered(req, res)
      metrics?.http.observe({ method: req.method, route, status: String(status) }, ms / 1000)
      const line = {
        method: req.method,
        path: req.originalUrl.split('?')[0],
        route,
        status,
        ms: Math.round(ms * 10) / 10,
      }
      if (status >= 500) logger.warn(line, 'request')
      else logger.info(line, 'request')
    })
    next()
  }
}
