import { createApp, finishApp, type Health, type Logger, type Metrics, Problem } from '@banyan/kit/service'
import type { Express } from 'express'
import type pg from 'pg'
import { z } from 'zod'
import { createAddressOf } from './address.ts'
import { requireBearer } from './bearer.ts'
import type { ConsoleOptions } from './console/console.ts'
import { createConsole } from './console/console.ts'
import { setReads } from './kill-switch.ts'
import { addMirror } from './mirror.ts'
import { addRecording } from './recording.ts'
import { type RoutingSources, showRouting } from './routing.ts'
import { why } from './why.ts'

const change = z.strictObject({ reads: z.enum(['owner', 'flag']), why: why.optional() })

export type Ops = {
  readonly app: Express
  /** Ends the console's streams, which would otherwise keep the listener from closing. */
  close(): void
}

/**
 * The operators' listener: health and metrics for machines; what is routed where, and the kill switch, with a token; the
 * console for people, with a login of its own.
 */
export function createOpsApp(options: {
  readonly sources: RoutingSources
  readonly pool: pg.Pool
  readonly token: string
  /** How many proxies in front of this listener write X-Forwarded-For. */
  readonly trustedHops: number
  readonly logger: Logger
  readonly health: Health
  readonly metrics: Metrics
  readonly console: Pick<ConsoleOptions, 'operators' | 'sessionMs' | 'secure' | 'signer' | 'traffic' | 'flagAdmin'>
}): Ops {
  const { logger, health, metrics, pool, sources } = options
  const app = createApp({ logger, health, metrics })
  const addressOf = createAddressOf(options.trustedHops)
  const operator = requireBearer(options.token, { addressOf, logger })
  app.get('/routing', operator, (_req, res) => {
    res.json(showRouting(sources))
  })
  app.post('/contexts/:context/reads', operator, async (req, res) => {
    const context = String(req.params.context)
    const { reads, why } = change.parse(req.body)
    const before = await setReads(pool, { context, reads, who: 'operator', why: why ?? null })
    if (before === null) {
      throw new Problem(404, 'unknown-context', `The control database knows no context "${context}"; see /routing.`)
    }
    logger.info({ context, before, reads }, 'who answers reads was set')
    res.json({ context, before, reads })
  })
  addMirror(app, { operator, ...sources })
  addRecording(app, { operator, pool, recorder: sources.recorder })
  const page = createConsole({ ...options.console, addressOf, sources, pool, logger })
  app.get('/', (_req, res) => res.redirect('/console/'))
  app.use('/console', page.routes)
  return { app: finishApp(app, { logger }), close: page.close }
}
