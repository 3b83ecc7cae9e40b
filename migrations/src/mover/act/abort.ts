import { failPoint } from '@banyan/kit/service'
import { noteTrouble } from '../../control/attempts.ts'
import { changeContext } from '../../control/contexts.ts'
import { type Stored, targetOf } from '../../control/stored.ts'
import { restoreSource } from '../../data/fence.ts'
import { raiseToken } from '../../data/token.ts'
import type { Runtime } from '../runtime.ts'
import { compareOf, direction, laneOf } from './switch.ts'

/** Rule 22: the abort is decided in the control row before anything is undone. */
export async function beginAbort(run: Runtime, stored: Stored, reason: string, again: boolean): Promise<void> {
  await noteTrouble(run.control, stored, reason, again)
  await failPoint('mover.abort.before-begin')
  const token = stored.token + 1n
  const begun = await changeContext(
    run.control,
    stored.context,
    { token: stored.token, phase: 'switching' },
    { phase: 'aborting', step: 'raise-target', token },
  )
  await failPoint('mover.abort.after-begin')
  if (begun) run.lanes.adopt(token, stored.move)
}

/**
 * Raises the target's token and, in the same transaction, sees it closed. If it is open, the control database has
 * lost an owner commit in a failover: the attempt is rolled forward instead.
 */
export async function raiseTarget(run: Runtime, stored: Stored): Promise<void> {
  const lane = await laneOf(run, stored)
  const { closed } = await raiseToken(lane.to, lane)
  await failPoint('mover.abort.after-raise-target')
  const changes = closed
    ? { step: 'unfence-source' as const }
    : {
        phase: 'switched' as const,
        step: 'unfence' as const,
        owner: targetOf(direction(stored)),
        term: stored.term + 1n,
      }
  await changeContext(run.control, stored.context, compareOf(stored), changes)
}

/** Raises the source's token always: a fence of the overruled attempt may still be on its way. Only then release. */
export async function unfenceSource(run: Runtime, stored: Stored): Promise<void> {
  const lane = await laneOf(run, stored)
  await restoreSource(lane, { owner: stored.owner, term: stored.term })
  await failPoint('mover.abort.after-unfence-source')
  await changeContext(run.control, stored.context, compareOf(stored), { step: 'release', hold: false })
  await failPoint('mover.abort.after-release')
}
