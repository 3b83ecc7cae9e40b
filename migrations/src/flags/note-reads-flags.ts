import type { Flags } from '@banyan/kit/flags'
import type { Logger } from '@banyan/kit/service'
import type { Pool } from 'pg'
import { recordAudit } from '../control/audit.ts'
import { lookAtFlags } from './look-at-flags.ts'

/** Who sets a share by `banyan` or at the console notes it a moment after Unleash has taken it. */
const NOTED_WITHIN_MS = 1_000

/**
 * Writes into the audit which share of a context's reads was set in Unleash itself: one that no line there accounts for.
 * Who it was stands in Unleash's own log of events.
 * @param options.now milliseconds of a clock that never goes back
 */
export function noteReadsFlags(
  flags: Pick<Flags, 'share' | 'freshness'>,
  contexts: readonly string[],
  control: Pool,
  logger: Logger,
  { now = () => performance.now() }: { now?: () => number } = {},
): { close(): Promise<void> } {
  const accounted = new Map<string, number>()
  const seen = new Map<string, { share: number; at: number }>()
  const look = async (context: string): Promise<void> => {
    const flag = `${context}-reads`
    const share = flags.share(flag)
    if (share === null || share === accounted.get(context)) {
      seen.delete(context)
      return
    }
    const first = seen.get(context)
    if (first?.share !== share) {
      seen.set(context, { share, at: now() })
      return
    }
    if (now() - first.at < NOTED_WITHIN_MS) return
    const before = await lastNoted(control, context, flag)
    if (before !== share) {
      const change = { old: { [flag]: before }, new: { [flag]: share } }
      await recordAudit(control, {
        ...{ who: 'unleash', what: 'shift', context, ...change },
        ...{ why: `the flag ${flag} was set in Unleash`, result: 'done' },
      })
    }
    accounted.set(context, share)
  }
  return lookAtFlags(flags, contexts, 'reads', look, logger)
}

/** The share that the audit says a flag has; 0 where it says nothing. What was refused or failed set none. */
async function lastNoted(control: Pool, context: string, flag: string): Promise<number> {
  const { rows } = await control.query(
    `select (new ->> $2)::float8 as share from banyan.audit
     where context = $1 and new ? $2 and result in ('done', 'called back') order by id desc limit 1`,
    [context, flag],
  )
  return rows[0]?.share ?? 0
}
