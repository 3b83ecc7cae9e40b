import { ask } from '../data/open-db.ts'
import type { Runtime } from './runtime.ts'

/** How many dropped foreign keys are not back, or back without validation; none while the last try is fresh. */
export async function keysToRestore(run: Runtime): Promise<number> {
  if (performance.now() < run.relinkAfter) return 0
  const { rows } = await ask<{ count: number }>(
    run.sides.monolith,
    'select count(*)::int as count from banyan.crossing_keys where context = $1',
    [run.plan.context],
  )
  return rows[0]?.count ?? 0
}
