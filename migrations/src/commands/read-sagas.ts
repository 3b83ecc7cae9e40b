import { fromPg, requireOwner, type Sql } from '@banyan/kit/ownership'
import { createSagaStore, type SagaSketch, type SagaState, type SagaStore } from '@banyan/kit/saga'
import { Problem } from '@banyan/kit/service'
import { inTransaction } from '../control/transaction.ts'
import type { Setup } from '../setup.ts'
import { knownContext } from './ask.ts'
import { Refused } from './refused.ts'

/** One table of sagas, where its context's owner keeps it. */
export type Sagas = { table: string; store: SagaStore<Sql> }

/**
 * The sagas of a context, in the database of the side that owns it by now. What the store writes is refused where that
 * side is not the owner any more; while it writes, no switch gets past it.
 *
 * @throws Refused when the plan names no saga tables, or `banyan init` has not been
 */
export async function openSagas(setup: Setup, context: string): Promise<Sagas[]> {
  const plan = await setup.plan(context)
  if (plan.sagaTables.length === 0) throw new Refused(`${context} to have sagas; its plan names no saga-tables`)
  const { owner } = await knownContext(setup, context)
  const pool = setup.sides(plan)[owner]
  const kept = plan.tables.filter(({ from }) => plan.sagaTables.includes(from))
  return kept.map(({ from, to }) => {
    const table = `public.${owner === 'service' ? to : from}`
    return {
      table,
      store: createSagaStore<Sql>({
        table,
        transaction: (work) => inTransaction(pool, (client) => work(fromPg(client))),
        guard: (trx) =>
          requireOwner(trx, context, owner).then(
            () => undefined,
            (error) => {
              throw error instanceof Problem ? new Refused(`the owner of ${context} to be settled; try again`) : error
            },
          ),
      }),
    }
  })
}

/** Finds one saga. @throws Refused when there is none of that id */
export async function findSaga(sagas: readonly Sagas[], id: string): Promise<Sagas & { saga: SagaState }> {
  for (const one of sagas) {
    const saga = await one.store.read(id)
    if (saga) return { ...one, saga }
  }
  throw new Refused(`a saga ${id}; there is none`)
}

/**
 * What a saga looks like, as the process that runs it has stored it.
 * @throws Refused when none has yet
 */
export async function findSketch(sagas: readonly Sagas[], name: string): Promise<SagaSketch> {
  const known = (await Promise.all(sagas.map(({ store }) => store.sketches()))).flat()
  const sketch = known.find((one) => one.name === name)
  if (sketch) return sketch
  const names = known.map((one) => one.name).join(', ')
  throw new Refused(`a saga named ${name} to be run by the context's owner; it has stored: ${names || 'none yet'}`)
}
