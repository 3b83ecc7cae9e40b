import { messageWithoutValues } from '@banyan/kit/service'
import { noteWait, openIntent } from '../control/intents.ts'
import { giveUp } from './act/intents.ts'
import { act } from './act.ts'
import { createBackground } from './background.ts'
import { createMoveTrace } from './move-trace.ts'
import { type Action, nextAction } from './next-action.ts'
import { observe, type Sight } from './observe.ts'
import type { Runtime } from './runtime.ts'
import type { Wakeups } from './wakeups.ts'

const REST_MS = 500
const WAIT_MS = 100
/** Held requests wait for this: an acknowledgement or a marker is looked for every few milliseconds. */
const SWITCHING_WAIT_MS = 5
const STUMBLE_MS = 500

/** Since when the steps of an intent have failed, by this process's clock, with none of them done in between. */
type Stumbling = { intent: bigint; sinceMs: number } | null

/** What opens a side, and what leads there: with the broker away, writers must not wait for its return. */
const NEEDS_NO_LANE: ReadonlySet<Action['do']> = new Set([
  'wait',
  'begin-abort',
  'raise-target',
  'unfence-source',
  'end-abort',
  'unfence',
  'release',
])

/** Looks, decides, acts, and again, for as long as this process leads. */
export async function followContext(run: Runtime, wakeups: Wakeups): Promise<void> {
  const background = createBackground(run)
  const trace = createMoveTrace(run.plan.context)
  const { lost } = run.leadership
  const { context } = run.plan
  let told = ''
  let stumbling: Stumbling = null
  const noteLane = (err: unknown) => run.logger.warn({ err, context }, 'a lane could not be started; going on without')
  while (!lost.aborted) {
    try {
      const sight = await observe(run)
      run.lanes.boundBy(endOfAttempt(sight))
      const action = nextAction(sight.stored, sight.seen, sight.intent)
      const adjusted = background.adjust(sight.stored, sight.seen.mine)
      if (NEEDS_NO_LANE.has(action.do)) adjusted.catch(noteLane)
      else await adjusted
      if (lost.aborted) break
      if (action.do !== 'rest' && action.do !== 'wait') run.logger.debug({ context, action }, 'acts')
      await trace.step(sight, action, () => act(run, sight, action))
      if (action.do !== 'rest' && action.do !== 'wait') stumbling = null
      if (action.do === 'rest') await wakeups.next(context, REST_MS, lost)
      if (action.do === 'wait')
        await wakeups.next(context, sight.stored.phase === 'switching' ? SWITCHING_WAIT_MS : WAIT_MS, lost)
    } catch (err) {
      // Nothing is decided by the failure: the next look decides from what is stored. Told once, while it stays the same.
      const message = err instanceof Error ? messageWithoutValues(err) : String(err)
      if (message !== told) run.logger.warn({ err, context }, 'a step failed; it is decided anew from what is stored')
      told = message
      stumbling = await noteStumble(run, message, stumbling)
      await wakeups.next(context, STUMBLE_MS, lost)
    }
  }
  trace.close()
  await background.stop()
}

/** By this process's clock; past the point of no return, and in an abort, nothing is called off any more. */
function endOfAttempt({ stored, seen }: Sight): number | null {
  return stored.phase === 'switching' ? performance.now() + seen.attempt.budgetMs - seen.attempt.ageMs : null
}

/** Lets whoever follows an intent see why it does not go on, or that it is given up; without the control database nobody could. */
async function noteStumble(run: Runtime, message: string, before: Stumbling): Promise<Stumbling> {
  try {
    const intent = await openIntent(run.control, run.plan.context)
    if (!intent) return null
    const now = performance.now()
    const sinceMs = before?.intent === intent.id ? before.sinceMs : now
    if (now - sinceMs > run.giveUpMs && (await giveUp(run, intent, now - sinceMs, message))) return null
    await noteWait(run.control, intent.id, `a step that failed to succeed: ${message}`)
    return { intent: intent.id, sinceMs }
  } catch {
    return before
  }
}
