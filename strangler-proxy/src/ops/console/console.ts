import type { FlagAdmin } from '@banyan/kit/flags/admin'
import type { Logger } from '@banyan/kit/service'
import { Router } from 'express'
import type pg from 'pg'
import { z } from 'zod'
import type { Signer } from '../../sign.ts'
import type { AddressOf } from '../address.ts'
import { type AuditLine, recordAudit } from '../audit.ts'
import { sendSamples } from '../mirror.ts'
import type { RoutingSources } from '../routing.ts'
import { addActions } from './actions.ts'
import { createFeed } from './feed.ts'
import { requireOperator, requireSession, sessionOf } from './gate.ts'
import { createKnownBrowsers } from './known-browsers.ts'
import { addLogin } from './login.ts'
import type { Operator } from './operators.ts'
import { addPage, guardPage } from './page.ts'
import { readAudit, readControl } from './read-control.ts'
import { createSessions } from './sessions.ts'
import { snapshot } from './snapshot.ts'
import type { Traffic } from './traffic.ts'

export type ConsoleOptions = {
  readonly operators: readonly Operator[]
  readonly sessionMs: number
  /** Cookies over TLS only. */
  readonly secure: boolean
  readonly signer: Signer
  readonly addressOf: AddressOf
  readonly sources: RoutingSources
  readonly traffic: Traffic
  readonly pool: pg.Pool
  /** Null where shares cannot be set from here. */
  readonly flagAdmin: FlagAdmin | null
  readonly logger: Logger
}

const page = z.object({ before: z.coerce.number().int().min(1).nullable().default(null) })
const LINES = 100

/** The operators' page with its login, its stream and its actions, to be mounted below `/console`. */
export function createConsole(options: ConsoleOptions): { readonly routes: Router; close(): void } {
  const { sources, pool, flagAdmin, traffic, logger } = options
  const routes = Router()
  const sessions = createSessions({ lifeMs: options.sessionMs, secure: options.secure })
  const browsers = createKnownBrowsers(options.signer, { secure: options.secure })
  const audit = (line: AuditLine) =>
    recordAudit(pool, line).catch((err) => logger.warn({ err, what: line.what }, 'the audit could not be written'))
  const feed = createFeed({
    look: async () => ({
      ...snapshot(sources, await readControl(pool), flagAdmin !== null),
      traffic: traffic.history().at(-1) ?? null,
    }),
    first: () => ({ traffic: traffic.history() }),
    logger,
  })
  const forget = [sources.ownership.on('change', () => feed.poke()), sources.flags.on('change', () => feed.poke())]
  const loggedIn = requireSession(sessions)

  routes.use(guardPage)
  addLogin(routes, { operators: options.operators, sessions, browsers, addressOf: options.addressOf, audit, logger })
  routes.get('/events', loggedIn, (_req, res) => {
    const session = sessionOf(res)
    feed.attach(res, session.name, () => sessions.isOpen(session))
  })
  routes.get('/audit', loggedIn, async (req, res) => {
    res.json(await readAudit(pool, page.parse(req.query).before, LINES))
  })
  routes.get('/mirror/samples', loggedIn, sendSamples(sources.mirror))
  const allowed = [loggedIn, requireOperator(audit)]
  addActions(routes, { allowed, sources, pool, flagAdmin, changed: () => feed.poke(), logger })
  addPage(routes)
  return {
    routes,
    close() {
      for (const one of forget) one()
      feed.close()
    },
  }
}
