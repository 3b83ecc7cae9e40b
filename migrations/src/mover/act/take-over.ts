import { failPoint } from '@banyan/kit/service'
import { attemptUnderWay, beginAttempt } from '../../control/attempts.ts'
import { recordAudit } from '../../control/audit.ts'
import { type Changes, changeContext } from '../../control/contexts.ts'
import type { Stored } from '../../control/stored.ts'
import { inTransaction } from '../../control/transaction.ts'
import { raiseToken } from '../../data/token.ts'
import type { Runtime } from '../runtime.ts'
import { compareOf, direction, startAttempt } from './switch.ts'

/**
 * Rule 16: a context that another mover, or a former life of this one, was moving is taken over with the next token,
 * and what was under way is repeated from hold, from rule 22 or from rule 21; never continued under the old token.
 */
export async function takeOver(run: Runtime, stored: Stored): Promise<void> {
  const { context } = stored
  const token = stored.token + 1n
  await failPoint('mover.take-over.before')
  const taken = await inTransaction(run.control, async (db) => {
    const changed = await changeContext(db, context, compareOf(stored), { token, ...again(stored) })
    if (!changed) return false
    if (stored.phase === 'switching') {
      const former = await attemptUnderWay(db, context)
      await beginAttempt(db, context, token, direction(stored), former?.intent ?? null)
    }
    const old = { token: stored.token, phase: stored.phase, step: stored.step }
    await recordAudit(db, { who: 'mover', what: 'take over', context, old, new: { token }, result: 'done' })
    return true
  })
  await failPoint('mover.take-over.after')
  if (!taken) return
  startAttempt(run, token, stored.move)
  run.lanes.forget()
  await overruleZombies(run, context)
}

function again({ phase, step }: Stored): Changes {
  if (phase === 'switching') return step === 'unlink' ? { step } : { step: 'hold', hold: true }
  if (phase === 'aborting') return { step: 'raise-target' }
  if (phase === 'switched' && step === 'release') return { step: 'unfence' }
  return {}
}

/**
 * Lets the fence rows stop the former mover's chunks and batches at once. A database that cannot be reached now loses
 * nothing: every step that matters stores the token itself.
 */
async function overruleZombies(run: Runtime, context: string): Promise<void> {
  try {
    const lane = await run.lanes.of('to-service')
    await Promise.all([raiseToken(lane.from, lane), raiseToken(lane.to, lane)])
  } catch (err) {
    run.logger.warn({ err, context }, 'the new token could not be stored on both sides yet')
  }
}
