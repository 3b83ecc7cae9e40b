import { failPoint } from '@banyan/kit/service'
import { noteTrouble } from '../../control/attempts.ts'
import { changeContext } from '../../control/contexts.ts'
import { type Stored, targetOf } from '../../control/stored.ts'
import { readFence, restoreSource } from '../../data/fence.ts'
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

/**
 * At rest the owner's side is closed: a failover of the control database has lost an attempt from its beginning. The
 * way out is an abort's, which sees the other side closed before it opens this one, or rolls forward. The lost
 * attempt's token may be above the row's, so it is taken from the fences too.
 */
export async function reopen(run: Runtime, stored: Stored): Promise<void> {
  const fences = await Promise.all([run.sides.monolith, run.sides.service].map((db) => readFence(db, stored.context)))
  const highest = fences.reduce((most, fence) => (fence && fence.token > most ? fence.token : most), stored.token)
  const token = highest + 1n
  const begun = await changeContext(run.control, stored.context, compareOf(stored), {
    phase: 'aborting',
    step: 'raise-target',
    direction: stored.owner === 'monolith' ? 'to-service' : 'to-monolith',
    formerPhase: stored.phase,
    token,
  })
  run.logger.warn({ context: stored.context, begun }, 'the owner was closed at rest; it is opened under a new token')
  if (begun) run.lanes.adopt(token, stored.move)
}
