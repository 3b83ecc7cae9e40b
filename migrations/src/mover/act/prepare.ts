import { failPoint } from '@banyan/kit/service'
import { type Changes, changeContext } from '../../control/contexts.ts'
import { storeFingerprints } from '../../control/sightings.ts'
import type { Stored } from '../../control/stored.ts'
import { voidVerifications } from '../../control/verifications.ts'
import { installCapture, removeCapture } from '../../data/capture.ts'
import { emptyTarget } from '../../data/empty-target.ts'
import { closeTarget, readFence } from '../../data/fence.ts'
import { fingerprint } from '../../data/fingerprint.ts'
import { installEngine } from '../../data/install.ts'
import type { Runtime } from '../runtime.ts'
import { relink } from './relink.ts'

/**
 * Installs capture on both sides, with the target closed before anything else (protocol rule 6). Storing `preparing`
 * first raises token and move once, so a prepare that was killed is repeated under the same move.
 */
export async function prepare(run: Runtime, stored: Stored): Promise<void> {
  const { control, plan, lanes } = run
  const began = stored.step === 'preparing' && lanes.adopted() === stored.token
  const token = began ? stored.token : stored.token + 1n
  const move = stored.step === 'preparing' ? stored.move : stored.move + 1n
  if (!began) {
    const changes = { token, move, step: 'preparing' as const }
    if (!(await changeContext(control, plan.context, { token: stored.token, phase: 'idle' }, changes))) return
    lanes.adopt(token, move)
  }
  lanes.forget()
  await failPoint('mover.prepare.before-install')
  await Promise.all([installEngine(run.sides.monolith), installEngine(run.sides.service)])
  const [there, back] = await Promise.all([lanes.of('to-service'), lanes.of('to-monolith')])
  await installCapture(back)
  await closeTarget(there)
  await failPoint('mover.prepare.after-target')
  await installCapture(there)
  await run.broker.declare(there)
  await run.broker.declare(back)
  const [monolith, service] = await Promise.all(
    [there, back].map((lane) =>
      fingerprint(
        lane.from,
        lane.tables.map((table) => table.source),
      ),
    ),
  )
  await storeFingerprints(control, plan.context, move, { monolith: monolith!, service: service! })
  await failPoint('mover.prepare.before-prepared')
  await changeContext(
    control,
    plan.context,
    { token, phase: 'idle', step: 'preparing' },
    { phase: 'prepared', step: null, formerPhase: null, direction: null, paused: false },
  )
}

/**
 * Takes everything away again: triggers and captured changes on both sides, the queues, and the target's rows, which
 * were copies. Crossing foreign keys that a switch has dropped come back before.
 */
export async function unprepare(run: Runtime, stored: Stored): Promise<void> {
  const { control, plan, lanes } = run
  const compare = { token: stored.token, phase: stored.phase, step: stored.step }
  const adoptNext = async (changes: Changes) => {
    const token = stored.token + 1n
    // A number that the row did not take may be another mover's.
    if (await changeContext(control, plan.context, compare, { ...changes, token })) lanes.adopt(token, stored.move)
  }
  if (stored.step !== 'unpreparing') {
    // Idle first: nobody begins a switch, or starts a lane, on what is being taken apart.
    return adoptNext({ phase: 'idle', step: 'unpreparing' })
  }
  if (lanes.adopted() !== stored.token) return adoptNext({})
  await failPoint('mover.unprepare.before-remove')
  await Promise.all([installEngine(run.sides.monolith), installEngine(run.sides.service)])
  const [there, back] = await Promise.all([lanes.of('to-service'), lanes.of('to-monolith')])
  // Emptied while it is still closed; a prepare that was cut short may not have closed it yet, and copied nothing.
  if ((await readFence(there.to, plan.context))?.closed) await emptyTarget({ ...there })
  await failPoint('mover.unprepare.after-empty')
  if (await readFence(there.from, plan.context)) {
    await relink(run)
    await removeCapture(there)
  }
  if (await readFence(there.to, plan.context)) await removeCapture(back)
  await run.broker.remove(there)
  await run.broker.remove(back)
  await failPoint('mover.unprepare.after-remove')
  await voidVerifications(control, plan.context, 'the move was taken back')
  await changeContext(control, plan.context, compare, { step: null, paused: false })
}
