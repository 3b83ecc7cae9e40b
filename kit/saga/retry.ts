import type { Sql } from '../sql.ts'
import { SagaError } from './errors.ts'
import type { SagaSketch } from './sketch.ts'
import type { SagaStore } from './store.ts'
import { retried } from './transitions.ts'

/**
 * Gives a saga that needs attention another round; whichever runner looks next takes it up.
 *
 * @param now milliseconds since 1970
 * @throws SagaError `saga-not-stuck` for any other saga, and for one that is not there
 */
export const retrySaga = <Trx extends Sql>(
  store: SagaStore<Trx>,
  id: string,
  definitionOf: (name: string) => Pick<SagaSketch, 'deadlineMs'> & { readonly forwardOnly?: boolean },
  now: number,
): Promise<void> =>
  store.transaction(async (trx) => {
    const locked = await store.lock(trx, id)
    if (locked?.saga.status !== 'NEEDS_ATTENTION')
      throw new SagaError('saga-not-stuck', `saga ${id} is ${locked?.saga.status ?? 'unknown'}`)
    const { forwardOnly = false, deadlineMs } = definitionOf(locked.saga.saga)
    await store.save(trx, retried(locked.saga, forwardOnly, deadlineMs, now), null)
  })
