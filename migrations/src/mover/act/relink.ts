import { restoreCrossingKeys, validateCrossingKeys } from '../../data/crossing-keys.ts'
import type { Runtime } from '../runtime.ts'

const AGAIN_MS = 10_000

/** The monolith owns the context again: the foreign keys come back as NOT VALID, then are validated. */
export async function relink(run: Runtime): Promise<void> {
  const lane = await run.lanes.of('to-service')
  // Rows that violate a key are a matter for people; the key already guards every new row.
  run.relinkAfter = performance.now() + AGAIN_MS
  await restoreCrossingKeys(lane.from, lane)
  const violated = await validateCrossingKeys(lane.from, lane)
  if (violated.length > 0) run.logger.warn({ violated, context: lane.context }, 'a foreign key is not valid yet')
}
