import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '../sql.ts'
import { ELSEWHERE, type Local, type Remote, type SagaData, type StepCall } from './define.ts'
import type { Outcome } from './errors.ts'

type Grade = (error: unknown) => Exclude<Outcome, { kind: 'done' }>

/**
 * Runs a local act behind a savepoint, so that whatever it did, read and locked is gone when it fails or finds its
 * callee elsewhere, while the transaction goes on.
 */
export const actLocally = async <Trx extends Sql>(
  trx: Trx,
  act: Local<Trx, SagaData>,
  call: StepCall,
  grade: Grade,
): Promise<Outcome | typeof ELSEWHERE> => {
  await trx.raw('savepoint saga_step')
  try {
    const patch = await act(trx, call)
    if (patch !== ELSEWHERE) {
      await trx.raw('release savepoint saga_step')
      return { kind: 'done', patch: patch ?? {} }
    }
    await trx.raw('rollback to savepoint saga_step')
    return ELSEWHERE
  } catch (error) {
    await trx.raw('rollback to savepoint saga_step')
    return grade(error)
  }
}

/** Calls a remote act; one that outlives `timeoutMs` counts as one whose outcome nobody knows. */
export const actRemotely = async (
  act: Remote<SagaData>,
  call: Omit<StepCall, 'signal'>,
  grade: Grade,
  timeoutMs: number,
): Promise<Outcome> => {
  const late = new AbortController()
  const timer = new AbortController()
  const answered = act({ ...call, signal: late.signal }).then(
    (patch): Outcome => ({ kind: 'done', patch: patch ?? {} }),
    grade,
  )
  const given = sleep(timeoutMs, undefined, { signal: timer.signal, ref: false }).then(
    (): Outcome => ({ kind: 'failed', message: `no answer within ${timeoutMs} ms` }),
    () => answered,
  )
  const outcome = await Promise.race([answered, given])
  timer.abort()
  late.abort()
  return outcome
}
