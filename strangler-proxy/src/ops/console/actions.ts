import type { FlagAdmin } from '@banyan/kit/flags/admin'
import { type Logger, Problem } from '@banyan/kit/service'
import type { RequestHandler, Router } from 'express'
import type pg from 'pg'
import { z } from 'zod'
import { recordAudit } from '../audit.ts'
import { setReads } from '../kill-switch.ts'
import type { RoutingSources } from '../routing.ts'
import { why } from '../why.ts'
import { askAtConsole, callOffAtConsole } from './ask.ts'
import { sessionOf } from './gate.ts'
import { NO_ADMIN_TOKEN } from './snapshot.ts'

const reason = why.min(3, 'must say why, in a few words')
const readsOrder = z.strictObject({ reads: z.enum(['owner', 'flag']), why: why.optional() })
const shareOrder = z.strictObject({
  percent: z
    .number('must be a whole number from 0 to 100')
    .int('must be a whole number from 0 to 100')
    .min(0, 'must be a whole number from 0 to 100')
    .max(100, 'must be a whole number from 0 to 100'),
  why: why.optional(),
})
const ownerOrder = z.strictObject({
  verb: z.enum(['switch', 'rollback']),
  why: reason,
  withoutParity: z.boolean().default(false),
})

/** The phases in which a share takes reads to the service, as `banyan shift` has them. */
const SPLIT: readonly string[] = ['ready', 'switching', 'aborting']

/** Why a share would do nothing. */
function waitsFor(context: string, phase: string): string {
  return phase === 'switched'
    ? `A share moves nothing while ${context} is switched: its service answers its reads as their owner. Roll back first.`
    : `A share waits for ${context} to be ready; it is ${phase}.`
}

/** What an operator does at the console. Each change is the one that `banyan` makes, under the operator's own name. */
export function addActions(
  router: Router,
  options: {
    readonly allowed: readonly RequestHandler[]
    readonly sources: RoutingSources
    readonly pool: pg.Pool
    readonly flagAdmin: FlagAdmin | null
    readonly changed: () => void
    readonly logger: Logger
  },
): void {
  const { allowed, sources, pool, flagAdmin, changed, logger } = options
  const unknown = (context: string) =>
    new Problem(404, 'unknown-context', `There is no context "${context.slice(0, 64)}" here.`)
  const known = (named: unknown): string => {
    const context = String(named)
    if (sources.contexts.includes(context) && sources.ownership.get(context)) return context
    throw unknown(context)
  }

  router.post('/contexts/:context/reads', ...allowed, async (req, res) => {
    const context = known(req.params.context)
    const { reads, why } = readsOrder.parse(req.body)
    const who = sessionOf(res).name
    const before = await setReads(pool, { context, reads, who, why: why || null })
    // What this proxy knew last may be gone from the control database; then nothing was set.
    if (before === null) throw unknown(context)
    logger.info({ context, before, reads, who }, 'who answers reads was set')
    changed()
    res.json({ context, before, reads })
  })

  router.post('/contexts/:context/share', ...allowed, async (req, res) => {
    const context = known(req.params.context)
    const { percent, why } = shareOrder.parse(req.body)
    if (flagAdmin === null) throw new Problem(409, 'shares-are-read-only', NO_ADMIN_TOKEN)
    const { phase } = sources.ownership.get(context)!
    if (percent > 0 && !SPLIT.includes(phase)) throw new Problem(409, 'refused', waitsFor(context, phase))
    const flag = `${context}-reads`
    const line = {
      ...{ who: sessionOf(res).name, what: 'shift', context, why: why || null },
      ...{ old: { [flag]: sources.flags.share(flag) }, new: { [flag]: percent } },
    }
    try {
      await flagAdmin.setShare(flag, percent)
    } catch (err) {
      logger.warn({ err, context }, 'a share could not be set')
      await recordAudit(pool, { ...line, result: 'failed' })
      throw new Problem(
        502,
        'unleash-refused',
        'Unleash did not take the share; this proxy’s log says what it answered.',
      )
    }
    await recordAudit(pool, { ...line, result: 'done' })
    changed()
    res.json({ context, flag, percent })
  })

  router.post('/contexts/:context/owner', ...allowed, async (req, res) => {
    const context = known(req.params.context)
    const order = ownerOrder.parse(req.body)
    const id = await askAtConsole(pool, { context, who: sessionOf(res).name, ...order })
    changed()
    res.status(202).json({ context, verb: order.verb, intent: id })
  })

  router.post('/contexts/:context/call-off', ...allowed, async (req, res) => {
    const context = known(req.params.context)
    const { why } = z.strictObject({ why: reason }).parse(req.body)
    const state = await callOffAtConsole(pool, { context, who: sessionOf(res).name, why })
    changed()
    res.status(202).json({ context, state })
  })
}
