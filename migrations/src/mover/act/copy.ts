import { failPoint } from '@banyan/kit/service'
import { changeContext } from '../../control/contexts.ts'
import { noteWait } from '../../control/intents.ts'
import type { Intent, Stored } from '../../control/stored.ts'
import { copyNextChunk } from '../../data/copy.ts'
import { startCopy } from '../../data/copy-progress.ts'
import type { Runtime } from '../runtime.ts'
import { compareOf } from './switch.ts'

export async function beginCopy(run: Runtime, stored: Stored): Promise<void> {
  await startCopy(await run.lanes.of('to-service'))
  await failPoint('mover.copy.before-begin')
  await changeContext(run.control, run.plan.context, compareOf(stored), { phase: 'copying' })
  await failPoint('mover.copy.after-begin')
}

/** One chunk of the first table that is not done; progress commits with the chunk, on the target. */
export async function copy(run: Runtime, intent: Intent | null): Promise<void> {
  // It may have stood aside until now, and nobody should go on reading why.
  if (intent?.waitsFor) await noteWait(run.control, intent.id, null)
  const lane = await run.lanes.of('to-service')
  for (const table of lane.tables) {
    const chunk = await copyNextChunk({ ...lane }, table)
    await failPoint('mover.copy.after-chunk')
    if (!chunk.done) return
  }
}

export async function endCopy(run: Runtime, stored: Stored): Promise<void> {
  await failPoint('mover.copy.before-end')
  await changeContext(run.control, run.plan.context, compareOf(stored), { phase: 'following' })
  await failPoint('mover.copy.after-end')
}

export async function setPaused(run: Runtime, stored: Stored, paused: boolean): Promise<void> {
  await changeContext(run.control, run.plan.context, compareOf(stored), { paused })
}
