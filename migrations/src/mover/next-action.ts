import { type Direction, type Intent, type Stored, targetOf } from '../control/stored.ts'
import { outOfOrder } from './orders.ts'
import type { Seen } from './seen.ts'

/** One thing to do, decided from the stored row, what is seen and what is wanted; see act.ts for the doing. */
export type Action =
  | { do: 'rest' }
  | { do: 'wait'; for: string }
  | { do: 'accept' }
  | { do: 'settle'; as: 'done' | 'failed' | 'refused'; because: string }
  | { do: 'take-over' }
  | { do: 'prepare' }
  | { do: 'unprepare' }
  | { do: 'begin-copy' }
  | { do: 'copy' }
  | { do: 'end-copy' }
  | { do: 'pause'; paused: boolean }
  | { do: 'verify' }
  | { do: 'repair' }
  | { do: 'grade'; phase: 'following' | 'ready' }
  | { do: 'begin-switch'; direction: Direction }
  | { do: 'unlink' }
  | { do: 'hold-ended' }
  | { do: 'fence' }
  | { do: 'reconcile' }
  | { do: 'sequences' }
  | { do: 'commit' }
  | { do: 'unfence' }
  | { do: 'release' }
  | { do: 'begin-abort'; reason: string; again: boolean }
  | { do: 'raise-target' }
  | { do: 'unfence-source' }
  | { do: 'end-abort' }
  | { do: 'reopen' }
  | { do: 'relink' }
  | { do: 'complete' }

const PATIENCE_MS = 5_000
/** While a lag is seen to be worked off, as after a restart of the mover under load. */
const CATCH_UP_MS = 30_000
const MOST_ATTEMPTS = 5

/**
 * What the mover does next. Pure and total: the same stored row, sight and intent always give the same action,
 * whatever mover asks and however often, which is what makes re-running after a crash end well (protocol rule 23).
 */
export function nextAction(stored: Stored, seen: Seen, intent: Intent | null): Action {
  if (stored.phase === 'completed') return whenCompleted(stored, intent)
  if (stored.phase === 'idle') return whenIdle(stored, seen, intent)
  if (!seen.mine) return { do: 'take-over' }
  switch (stored.phase) {
    case 'switching':
      return whenSwitching(stored, seen)
    case 'aborting':
      return whenAborting(stored)
    case 'switched':
      if (stored.step === 'unfence') return { do: 'unfence' }
      if (stored.step === 'release') return { do: 'release' }
      if (stored.step === 'completing') return { do: 'complete' }
      return whenAtRest(stored, seen, intent)
    case 'prepared':
    case 'copying':
    case 'following':
    case 'ready':
      return whenAtRest(stored, seen, intent)
  }
}

function whenIdle(stored: Stored, seen: Seen, intent: Intent | null): Action {
  // A reader that is still sent to the service must not find the tables that are about to be emptied.
  if (stored.step === 'unpreparing')
    return seen.unaware.length > 0
      ? { do: 'wait', for: `reads to be back at the monolith, at ${seen.unaware.join(', ')}` }
      : { do: 'unprepare' }
  if (stored.step === 'preparing' && intent?.verb !== 'prepare') return { do: 'unprepare' }
  if (!intent) return { do: 'rest' }
  if (intent.state === 'running' && intent.verb === 'unprepare')
    return { do: 'settle', as: 'done', because: 'nothing is left of the move on either side' }
  const early = outOfOrder(intent.verb, stored)
  if (early) return refuse(early)
  if (seen.doctor.length > 0) return refuse(seen.doctor.join('\n'))
  return intent.state === 'pending' ? { do: 'accept' } : { do: 'prepare' }
}

function whenCompleted(stored: Stored, intent: Intent | null): Action {
  if (!intent) return { do: 'rest' }
  if (intent.verb === 'complete' && intent.state === 'running')
    return done('the move is over; the old tables are retired')
  return refuse(outOfOrder(intent.verb, stored))
}

/** Each step in order; before the commit, whatever takes too long or is called off leads to the abort. */
function whenSwitching({ step }: Stored, seen: Seen): Action {
  const { ageMs, budgetMs, trouble } = seen.attempt
  if (seen.abortAsked !== null) return { do: 'begin-abort', reason: seen.abortAsked, again: false }
  if (trouble) return { do: 'begin-abort', ...trouble }
  if (ageMs > budgetMs)
    return { do: 'begin-abort', reason: `${step} outlasted the budget of ${budgetMs} ms`, again: true }
  switch (step) {
    case 'unlink':
      return { do: 'unlink' }
    case 'hold':
      return seen.undrained.length > 0
        ? { do: 'wait', for: `requests in flight at ${seen.undrained.join(', ')}` }
        : { do: 'hold-ended' }
    case 'fence':
      return { do: 'fence' }
    case 'marker':
      if (seen.blocked)
        return { do: 'begin-abort', reason: `a change cannot be applied: ${seen.blocked}`, again: false }
      return seen.markerApplied ? { do: 'reconcile' } : { do: 'wait', for: 'the marker to be applied' }
    case 'sequences':
      return { do: 'sequences' }
    case 'commit':
      return { do: 'commit' }
    default:
      return { do: 'begin-abort', reason: `"${step}" is no step of a switch`, again: false }
  }
}

function whenAborting({ step }: Stored): Action {
  if (step === 'unfence-source') return { do: 'unfence-source' }
  if (step === 'release') return { do: 'end-abort' }
  return { do: 'raise-target' }
}

function whenAtRest(stored: Stored, seen: Seen, intent: Intent | null): Action {
  if (seen.ownerClosed) return { do: 'reopen' }
  if (intent?.state === 'pending') return newIntent(stored, seen, intent)
  if (intent?.state === 'running') {
    const action = runningIntent(stored, seen, intent)
    if (action) return action
  }
  if (stored.phase === 'copying' && !stored.paused) {
    if (seen.copy.finished) return { do: 'end-copy' }
    return seen.copy.waitsFor === null ? { do: 'copy' } : { do: 'wait', for: seen.copy.waitsFor }
  }
  if (stored.owner === 'monolith' && seen.foreignKeysToRestore > 0) return { do: 'relink' }
  return intent ? { do: 'wait', for: stored.paused ? 'banyan resume' : `${intent.verb} to end` } : { do: 'rest' }
}

/** An intent's first sight: out of order or held by an interlock, it is refused and nothing has changed. */
function newIntent(stored: Stored, seen: Seen, intent: Intent): Action {
  const early = outOfOrder(intent.verb, stored)
  if (early) return refuse(early)
  if (intent.verb === 'switch' || intent.verb === 'rollback' || intent.verb === 'complete') {
    const held = heldBy(seen, seen.waitedMs)
    if (held) return held
  }
  return { do: 'accept' }
}

function runningIntent(stored: Stored, seen: Seen, intent: Intent): Action | null {
  const { phase } = stored
  switch (intent.verb) {
    case 'prepare':
      return done('captured on both sides; the target is fenced')
    case 'unprepare':
      return { do: 'unprepare' }
    case 'backfill':
      if (phase === 'prepared') return { do: 'begin-copy' }
      if (phase !== 'copying') return done('every row is copied; changes follow')
      return typeof intent.args.pause === 'string' ? letStandStill(stored, intent.args.pause) : null
    case 'pause':
    case 'resume': {
      const paused = intent.verb === 'pause'
      return stored.paused === paused ? done(paused ? 'copying pauses' : 'copying goes on') : { do: 'pause', paused }
    }
    case 'verify':
    case 'repair': {
      const { ended } = seen
      if (!ended) return { do: intent.verb }
      if (phase === 'following' && ended.clean) return { do: 'grade', phase: 'ready' }
      if (phase === 'ready' && !ended.clean) return { do: 'grade', phase: 'following' }
      return ended.clean ? done(ended.summary) : fail(ended.summary)
    }
    case 'switch':
      return phase === 'switched' ? done('the service owns the context') : attempt(seen, 'to-service')
    case 'rollback':
      return phase === 'switched' ? attempt(seen, 'to-monolith') : done('the monolith owns the context')
    case 'complete':
      // Looked at until `completing` is stored: the mover that accepted it may not be the one that carries it out.
      return heldBy(seen, seen.waitedMs) ?? { do: 'complete' }
  }
}

/** The backfill ends with the pause, so that whoever comes next may ask for "resume", or take it all back. */
function letStandStill({ paused }: Stored, who: string): Action {
  return paused ? fail(`paused by ${who}; banyan resume goes on`) : { do: 'pause', paused: true }
}

function attempt(seen: Seen, direction: Direction): Action {
  const { aborted, lastAbort } = seen.aborts
  if (seen.abortAsked !== null) return fail(`aborted: ${seen.abortAsked}`)
  if (lastAbort && (!lastAbort.again || aborted >= MOST_ATTEMPTS))
    return fail(
      `aborted after ${aborted} attempt(s): ${lastAbort.reason}; the ${targetOf(direction) === 'service' ? 'monolith' : 'service'} writes on`,
    )
  if (lastAbort && lastAbort.agoMs < backOffMs(aborted))
    return { do: 'wait', for: `the next attempt; the last ended with: ${lastAbort.reason}` }
  const held = heldBy(seen, lastAbort ? lastAbort.agoMs - backOffMs(aborted) : seen.waitedMs)
  return held ?? { do: 'begin-switch', direction }
}

/** Doubles from half a second, so that a lock which stands in the way has time to go. */
export function backOffMs(aborted: number): number {
  return Math.min(500 * 2 ** (aborted - 1), 8_000)
}

function heldBy(seen: Seen, waitedMs: number): Action | null {
  if (seen.interlocks.length === 0) return null
  const waitsFor = seen.interlocks.map((interlock) => interlock.waitsFor).join('; ')
  const patienceMs = seen.interlocks.some((interlock) => interlock.catchingUp) ? CATCH_UP_MS : PATIENCE_MS
  return seen.interlocks.every((interlock) => interlock.passing) && waitedMs < patienceMs
    ? { do: 'wait', for: waitsFor }
    : refuse(waitsFor)
}

const done = (because: string): Action => ({ do: 'settle', as: 'done', because })
const fail = (because: string): Action => ({ do: 'settle', as: 'failed', because })
const refuse = (because: string | null): Action => ({
  do: 'settle',
  as: 'refused',
  because: because ?? 'it is not its turn',
})
