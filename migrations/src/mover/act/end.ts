import { failPoint } from '@banyan/kit/service'
import { endAttempt } from '../../control/attempts.ts'
import { recordAudit } from '../../control/audit.ts'
import { changeContext } from '../../control/contexts.ts'
import type { Stored } from '../../control/stored.ts'
import { inTransaction } from '../../control/transaction.ts'
import type { Runtime } from '../runtime.ts'
import { compareOf, direction, tellFormerOwner } from './switch.ts'

/** The switch or rollback is over: the former owner is told, the attempt's times go to the audit. */
export async function endSwitch(run: Runtime, stored: Stored): Promise<void> {
  await tellFormerOwner(run, stored)
  const phase = stored.owner === 'service' ? ('switched' as const) : ('ready' as const)
  await close(run, stored, 'committed', { phase })
  await failPoint('mover.switch.after-end')
  showOwner(run, stored)
}

/** The abort is over: back to where the attempt began. */
export async function endAbort(run: Runtime, stored: Stored): Promise<void> {
  await failPoint('mover.abort.before-end')
  await close(run, stored, 'aborted', { phase: stored.formerPhase ?? 'ready' })
  await failPoint('mover.abort.after-end')
  showOwner(run, stored)
}

async function close(
  run: Runtime,
  stored: Stored,
  result: 'committed' | 'aborted',
  changes: { phase: Stored['phase'] },
): Promise<void> {
  const timings = Object.fromEntries(Object.entries(run.timings).map(([step, ms]) => [step, Math.round(ms * 10) / 10]))
  await inTransaction(run.control, async (db) => {
    const done = { ...changes, step: null, direction: null, formerPhase: null, hold: false }
    if (!(await changeContext(db, stored.context, compareOf(stored), done))) return
    const attempt = await endAttempt(db, stored.context, result, timings)
    await recordAudit(db, {
      who: 'mover',
      what: direction(stored) === 'to-service' ? 'switch' : 'rollback',
      context: stored.context,
      old: { phase: stored.formerPhase, token: stored.token },
      new: {
        ...changes,
        owner: stored.owner,
        term: stored.term,
        direction: stored.direction,
        timings,
        totalMs: attempt?.totalMs,
      },
      why: attempt?.reason ?? null,
      result,
    })
  })
}

/** Sets `<context>-writes` to what is true, so that the flag never asks for what has just ended. Without Unleash, later. */
export function showOwner(run: Runtime, { context, owner }: Pick<Stored, 'context' | 'owner'>): void {
  if (!run.flags) return
  const on = owner === 'service'
  const set = run.flags.admin.setOn(`${context}-writes`, on)
  run.flags.watch.setting(context, on ? 100 : 0, set)
  set.catch((err) => run.logger.warn({ err, context }, 'the writes flag could not be set to the owner'))
}
