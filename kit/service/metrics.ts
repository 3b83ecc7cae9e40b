/** A process's own Prometheus registry, and the one histogram that every HTTP process has. */
import { Router } from 'express'
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client'

export type Metrics = {
  readonly registry: Registry
  /** `GET /metrics` in Prometheus text. */
  readonly routes: Router
  /** `http_request_duration_seconds` by method, route pattern (never the path: it has ids in it) and status. */
  readonly http: Histogram<'method' | 'route' | 'status'>
}

const BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/**
 * @param options.defaults Also collect Node's own figures (heap, event loop, …); on unless told.
 * @returns A registry of its own, so that two apps in one process, or two tests, do not share counters.
 */
export function createMetrics(options: { defaults?: boolean } = {}): Metrics {
  const registry = new Registry()
  if (options.defaults !== false) collectDefaultMetrics({ register: registry })
  const http = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the request line to the end of the answer',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: BUCKETS,
    registers: [registry],
  })
  const routes = Router()
  routes.get('/metrics', async (_req, res) => {
    res.set('content-type', registry.contentType).send(await registry.metrics())
  })
  return { registry, routes, http }
}
