import type { Direction } from '../control/stored.ts'
import { ask } from '../data/open-db.ts'
import { reconcile } from '../data/reconcile.ts'
import type { Runtime } from './runtime.ts'

/**
 * Rule 14 in the background, one round a call. Looks one round behind the newest change, so that what is merely on its
 * way is not applied a second time. It goes on while a lane is blocked: what blocks it may be a change that was
 * refused by the broker and now waits behind it, and the source has both in their order.
 */
export function laneReconciler(run: Pick<Runtime, 'lanes' | 'logger' | 'plan'>): () => Promise<void> {
  const behind = new Map<Direction, bigint>()
  const round = async (direction: Direction): Promise<void> => {
    const lane = await run.lanes.of(direction)
    const upTo = behind.get(direction)
    const { rows } = await ask<{ id: string | null }>(
      lane.from,
      'select max(id) as id from banyan.changes where context = $1',
      [lane.context],
    )
    if (rows[0]?.id) behind.set(direction, BigInt(rows[0].id))
    if (upTo !== undefined) await reconcile({ ...lane }, upTo)
  }
  return async () => {
    for (const direction of ['to-service', 'to-monolith'] as const)
      await round(direction).catch((err) =>
        run.logger.warn({ err, context: run.plan.context, direction }, 'a lane could not be reconciled'),
      )
  }
}
