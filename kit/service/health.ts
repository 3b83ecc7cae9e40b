/** Liveness and readiness. Neither probes a downstream: a slow neighbour must not take this process out of service. */
import { Router } from 'express'

export type Health = {
  /** `GET /health/live` and `GET /health/ready`. */
  readonly routes: Router
  setReady(ready: boolean): void
  isReady(): boolean
}

/**
 * @param build what runs (`buildOf`), told with each answer, so that whoever compares processes knows what was compared
 * @returns Health that is live at once and ready when told: `serve` says so after listening, and no longer at the end
 */
export function createHealth(build?: string): Health {
  const told = build === undefined ? {} : { build }
  let ready = false
  const routes = Router()
  routes.get('/health/live', (_req, res) => {
    res.json({ status: 'live', ...told })
  })
  routes.get('/health/ready', (_req, res) => {
    res.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'not-ready', ...told })
  })
  return {
    routes,
    setReady(now) {
      ready = now
    },
    isReady: () => ready,
  }
}
