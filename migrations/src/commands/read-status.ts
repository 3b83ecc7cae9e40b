import { attemptUnderWay } from '../control/attempts.ts'
import { readContexts } from '../control/contexts.ts'
import { lastIntent, openIntent } from '../control/intents.ts'
import { someoneLeads } from '../control/leader.ts'
import { lastParityRun, type ParityRun } from '../control/parity-runs.ts'
import { readSighting, type Sighting } from '../control/sightings.ts'
import { type Intent, onTheMove, type Stored } from '../control/stored.ts'
import { readSubscribers, type Subscriber } from '../control/subscribers.ts'
import { lastVerification, type Verification } from '../control/verifications.ts'
import { type CopySum, copyProgress, sumOfCopy } from '../data/copy-progress.ts'
import type { Setup } from '../setup.ts'

export type CopyStatus = CopySum & {
  /** Why the mover copies nothing at this moment: the lag, or the source's load. */
  waitsFor: string | null
}

export type Status = {
  stored: Stored
  mover: boolean
  intent: Intent | null
  /** The one that ended last. */
  last: Awaited<ReturnType<typeof lastIntent>>
  attempt: { step: string | null; ageMs: number } | null
  /** Null before the copy has begun; `unknown` with the reason when the target cannot be asked. */
  copy: CopyStatus | { unknown: string } | null
  lagMs: number | null
  blocked: string | null
  verification: Verification | null
  /** The last comparison of both sides, whatever builds it was of. */
  parity: ParityRun | null
  subscribers: readonly Subscriber[]
  /** How old the mover's last sight is; null when it never looked. */
  seenAgoMs: number | null
}

/** Everything `status` shows of one context. */
export async function readStatus(setup: Setup, context: string): Promise<Status> {
  const control = setup.control()
  const [[stored], mover, intent, last, attempt, sighting, verification, parity, subscribers] = await Promise.all([
    readContexts(control, [context]),
    someoneLeads(control),
    openIntent(control, context),
    lastIntent(control, context),
    attemptUnderWay(control, context),
    readSighting(control, context),
    lastVerification(control, context),
    lastParityRun(control, context),
    readSubscribers(control, context),
  ])
  if (!stored) throw new Error(`the control database does not know ${context}: banyan init`)
  return {
    stored,
    mover,
    intent,
    last,
    attempt: attempt && { step: stored.step, ageMs: attempt.ageMs },
    copy: onTheMove(stored.phase) && stored.phase !== 'prepared' ? await readCopy(setup, stored, sighting.seen) : null,
    lagMs: onTheMove(stored.phase) ? sighting.heartbeatAgoMs : null,
    blocked: typeof sighting.seen.blocked === 'string' ? sighting.seen.blocked : null,
    verification,
    parity,
    subscribers,
    seenAgoMs: sighting.seenAgoMs,
  }
}

/** A target that cannot be asked never reads as a finished copy. */
async function readCopy(setup: Setup, stored: Stored, seen: Sighting['seen']): Promise<Status['copy']> {
  try {
    const sides = setup.sides(await setup.plan(stored.context))
    const copy = sumOfCopy(await copyProgress({ context: stored.context, move: stored.move, to: sides.service }))
    if (copy === null) return null
    return { ...copy, waitsFor: !copy.finished && typeof seen.copyWaitsFor === 'string' ? seen.copyWaitsFor : null }
  } catch (error) {
    return { unknown: error instanceof Error ? error.message : String(error) }
  }
}
