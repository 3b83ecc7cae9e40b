/** Liveness and readiness. Neither probes a downstream: a slow neighbour must not take this process out of service. */
import { Router } from 'express'

export type Health = {
  /** `GET /health/live` and `GET /health/ready`. */
  readonly routes: Router
  setReady(ready: boolean): void
  isReady(): boolean
}

/** @returns Health that is live at once and ready when told: `serve` says so after listening, and no longer at the end. */
export function createHealth(): Health {
  let ready = false
  const routes = Router()
  routes.get('/health/live', (_req, res) => {
    res.json({ status: 'live' })
  })
  routes.get('/health/ready', (_req, res) => {
    res.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'not-ready' })
  })
  return {
    routes,
    setReady(now) {
      ready = now
    },
    isReady: () => ready,
  }
}
