/** One row of `banyan.contexts`, as everybody but the mover sees it. */

export type Phase =
  | 'idle'
  | 'prepared'
  | 'copying'
  | 'following'
  | 'ready'
  | 'switching'
  | 'switched'
  | 'completed'
  | 'aborting'

export type Ownership = {
  readonly context: string
  readonly phase: Phase
  readonly owner: 'monolith' | 'service'
  /** Requests that write this context wait. */
  readonly hold: boolean
  /** `flag`: the flag decides who answers reads; `owner`: the owner alone does (the kill switch). */
  readonly reads: 'flag' | 'owner'
  readonly direction: 'to-service' | 'to-monolith' | null
  /** Any change of the row; what subscribers acknowledge. */
  readonly epoch: bigint
  /** The mover's fencing token: another one, another attempt. */
  readonly token: bigint
  /** Changes of the owner. */
  readonly term: bigint
  /** Prepares. */
  readonly move: bigint
  /** The youngest heartbeat known to have been applied on the side that does not own the context. */
  readonly heartbeatApplied: Date | null
}

/** Counters leave as text: a bigint may be more than a JavaScript number can hold. */
export const COLUMNS = `context, phase, owner, hold, reads, direction, epoch::text as epoch, token::text as token,
  term::text as term, move::text as move, heartbeat_applied`

/** @param row What a query for `COLUMNS` returned. */
export function toOwnership(row: Record<string, unknown>): Ownership {
  return Object.freeze({
    context: row.context as string,
    phase: row.phase as Phase,
    owner: row.owner as Ownership['owner'],
    hold: row.hold as boolean,
    reads: row.reads as Ownership['reads'],
    direction: row.direction as Ownership['direction'],
    epoch: BigInt(row.epoch as string),
    token: BigInt(row.token as string),
    term: BigInt(row.term as string),
    move: BigInt(row.move as string),
    heartbeatApplied: row.heartbeat_applied as Date | null,
  })
}
