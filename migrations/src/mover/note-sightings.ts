import { setTimeout as sleep } from 'node:timers/promises'
import { noteSeen } from '../control/sightings.ts'
import { relayBacklog } from '../data/changes-relay.ts'
import { copyProgress, sumOfCopy } from '../data/copy-progress.ts'
import type { Runtime } from './runtime.ts'

const NOTE_MS = 1_000

/** Writes down each second what only the mover can see, so that `status` and the console can show it. */
export async function noteSightings(runtimes: readonly Runtime[], stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    for (const run of runtimes) {
      const { context } = run.plan
      try {
        if (run.lanes.adopted() !== null && !run.quiet)
          await noteSeen(run.control, context, {
            blocked: run.blocked.now,
            copyWaitsFor: run.copyWaitsFor.now,
            copy: await copy(run),
            backlog: await backlog(run),
          })
      } catch (err) {
        run.logger.debug({ err, context }, 'what was seen could not be noted')
      }
    }
    await sleep(NOTE_MS, undefined, { signal: stop }).catch(() => undefined)
  }
}

/** How far the copy is: only the mover, and who has its accounts, can ask the target. */
async function copy(run: Runtime): Promise<Record<string, unknown> | null> {
  const sum = sumOfCopy(await copyProgress(await run.lanes.of('to-service')))
  return sum && { ...sum, waitsFor: sum.finished ? null : run.copyWaitsFor.now }
}

async function backlog(run: Runtime): Promise<Record<string, unknown>> {
  const [there, back] = await Promise.all([run.lanes.of('to-service'), run.lanes.of('to-monolith')])
  return { 'to-service': await relayBacklog(there), 'to-monolith': await relayBacklog(back) }
}
