/** What the mover sees when it looks, gathered by observe.ts; together with the stored row it decides what is next. */
export type Seen = {
  /** The row's token was raised by this very leadership; otherwise the row is someone else's and is taken over. */
  mine: boolean
  /** The attempt under way, by the control database's clock, and the time it may take before the commit. */
  attempt: { ageMs: number; budgetMs: number; trouble: { reason: string; again: boolean } | null }
  /** Who asked to call the switch or rollback off, and why. */
  abortAsked: string | null
  /** How long the intent has been open while this mover could have carried it out. */
  waitedMs: number
  /** Proxies and workers that have not acknowledged the row's epoch as drained. */
  undrained: readonly string[]
  /** Proxies that have not yet seen that the move is taken back: a share of their reads still goes to the service. */
  unaware: readonly string[]
  /** The marker of this attempt's own fence has been applied on the target. */
  markerApplied: boolean
  /** The row that blocks a lane, in words. */
  blocked: string | null
  /** `waitsFor`: why the copy stands aside at this moment, for the lag or the source's load. */
  copy: { finished: boolean; waitsFor: string | null }
  /** What stands in the way of a switch, rollback or completion; `passing` ones are worth a few seconds' wait. */
  interlocks: readonly Interlock[]
  /** What the doctor found, if the intent needs it; empty when healthy. */
  doctor: readonly string[]
  /** What the verification or repair that this intent asked for found, once it has ended. */
  ended: { clean: boolean; summary: string } | null
  /** This intent's attempts that were aborted, and the last one's reason. */
  aborts: { aborted: number; lastAbort: { reason: string; agoMs: number; again: boolean } | null }
  /** Crossing foreign keys of the plan that the monolith's database lacks, or has without validation. */
  foreignKeysToRestore: number
  /** At rest: the side that owns the context does not accept writes, though nothing is under way. */
  ownerClosed: boolean
}

/** `passing`: goes by itself, and soon if at all. `catchingUp`: work on it is seen to go on, so that it may take longer. */
export type Interlock = { waitsFor: string; passing: boolean; catchingUp?: boolean }

/** Nothing seen out of the ordinary: what observe.ts starts from, and tests too. */
export const NOTHING_SEEN: Seen = Object.freeze({
  mine: true,
  attempt: { ageMs: 0, budgetMs: 5_000, trouble: null },
  abortAsked: null,
  waitedMs: 0,
  undrained: [],
  unaware: [],
  markerApplied: false,
  blocked: null,
  copy: { finished: false, waitsFor: null },
  interlocks: [],
  doctor: [],
  ended: null,
  aborts: { aborted: 0, lastAbort: null },
  foreignKeysToRestore: 0,
  ownerClosed: false,
})
