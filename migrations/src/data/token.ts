/** Rule 12: what every transaction of the mover does first in a participating database. */
import type { Claim, Db, Tx } from './lane.ts'
import { LOCK_TIMEOUT_MS, lostLock, retryLock } from './lock-retry.ts'
import { ask, withConnection } from './open-db.ts'
import { literal } from './sql-text.ts'

/** A newer attempt has been here: this mover is a zombie and must do nothing any more. */
export class TokenOverruled extends Error {
  override readonly name = 'TokenOverruled'
  readonly code = 'token-overruled'
}

/** The side that should receive rows accepts application writes, so the mover's hands are off it. */
export class SideOpen extends Error {
  override readonly name = 'SideOpen'
  readonly code = 'side-open'
}

export interface TokenOptions {
  /** Also refuse if this side is open: what chunk, batch and repair ask of their receiving side. */
  readonly receiving?: boolean
  /** Chunk (`share`) and batch (`exclusive`) exclude each other; taken before the fence row. */
  readonly apply?: 'share' | 'exclusive'
  /** The writes to come are the mover's own: not captured, not fenced, and no cascade acts twice (rules 4 and 11). */
  readonly applying?: boolean
  /** Milliseconds to wait for a lock; no bound where absent. */
  readonly lockTimeoutMs?: number
  /** Milliseconds for each statement, and for all of it where the server answers no more; no bound where absent. */
  readonly limitMs?: number
}

/** For what is repeated until it succeeds: a hang ends, and the next try may meet a server that answers. */
const STEP_LIMIT_MS = 5_000
/** An attempt whose time is over is about to be called off; what it has begun is not cut off at once. */
const LEAST_MS = 50

/** What fences, opens and raises: neither a lock nor a server that hangs keeps it. */
export const BOUNDED: TokenOptions = { lockTimeoutMs: LOCK_TIMEOUT_MS, limitMs: STEP_LIMIT_MS }

/** What goes on in the background: it holds the fence row that a switch or an abort wants, so it gives way soon. */
export const BRIEF: TokenOptions = { lockTimeoutMs: 500, limitMs: 30_000 }

/**
 * A chunk, or the reading of a range: about a second's work. Without bounds somebody's lock, or a server that hangs,
 * would keep the mover from pausing, from being asked for anything else, and from saying what it waits for.
 */
export const PIECE: TokenOptions = { lockTimeoutMs: 500, limitMs: 60_000 }

/** What installs something: the tables' locks are tried for a moment only, and a server that hangs is given up. */
export const STRUCTURE = { lockTimeoutMs: LOCK_TIMEOUT_MS, limitMs: 60_000 } as const satisfies TokenOptions

/** A transaction that has shown its token. */
export interface Held {
  readonly tx: Tx
  readonly closed: boolean
  /** The token that was stored when the fence row was locked. */
  readonly stored: bigint
}

/**
 * Runs `work` in a READ COMMITTED transaction that holds the context's fence row.
 * @param mode `share` for chunk, batch and repair; `update` for what fences, unfences or changes structure: it also
 *   stores this attempt's token where a lower one stands
 * @throws TokenOverruled when a higher token is stored; SideOpen under `receiving`; what `work` throws. Nothing of the
 *   transaction stays then.
 */
export async function underToken<T>(
  db: Db,
  claim: Claim,
  mode: 'share' | 'update',
  work: (held: Held) => Promise<T>,
  options: TokenOptions = {},
): Promise<T> {
  const limitMs = limitOf(claim, options)
  return withConnection(db, (tx) => underTokenOn(tx, claim, mode, work, { ...options, limitMs }), limitMs)
}

/** Its own limit, cut to what is left of the attempt under way. */
function limitOf({ untilMs }: Claim, { limitMs = Number.POSITIVE_INFINITY }: TokenOptions): number {
  if (untilMs === undefined || untilMs === null) return limitMs
  return Math.min(limitMs, Math.max(Math.ceil(untilMs - performance.now()), LEAST_MS))
}

/** The same on a connection at hand; when it throws, the connection is inside a failed transaction. */
export async function underTokenOn<T>(
  tx: Tx,
  claim: Claim,
  mode: 'share' | 'update',
  work: (held: Held) => Promise<T>,
  options: TokenOptions = {},
): Promise<T> {
  await tx.query(opening(claim, options))
  const held = { tx, ...(await lockFenceRow(tx, claim, mode)) }
  if (options.receiving && !held.closed) {
    throw new SideOpen(`${claim.context}: this side accepts application writes; the mover does not write to it`)
  }
  // Whatever this attempt changes, nobody with a lower token may change after it.
  if (mode === 'update' && held.stored < claim.token) await storeToken(tx, claim)
  const result = await work(held)
  await tx.query('commit')
  return result
}

/**
 * Stores this attempt's token, so that nobody with a lower one can act here any more.
 * @param options deadlineMs: how long the fence row is tried for, 10 s where absent
 * @returns whether the side is closed; an abort that finds its target open must roll forward (rule 22)
 * @throws LockBusy, TokenOverruled
 */
export async function raiseToken(
  db: Db,
  claim: Claim,
  options: { deadlineMs?: number } = {},
): Promise<{ closed: boolean }> {
  const raise = async ({ closed }: Held) => ({ closed })
  return retryLock(`${claim.context}: the token`, options.deadlineMs ?? 10_000, async () => {
    try {
      return await underToken(db, claim, 'update', raise, BOUNDED)
    } catch (error) {
      if (lostLock(error)) await endStopped(db)
      throw error
    }
  })
}

/**
 * Ends the sessions of movers that were stopped while the server waited for their rows: in the middle of a COPY a
 * session is not idle, so no timeout of the server's ever ends it, and it holds the fence row (rule 23).
 */
async function endStopped(db: Db): Promise<void> {
  await ask(
    db,
    `select pg_terminate_backend(pid) from pg_stat_activity
      where pid <> pg_backend_pid() and usename = session_user and datname = current_database()
        and application_name = current_setting('application_name') and state = 'active'
        and wait_event in ('ClientRead', 'ClientWrite') and query_start < clock_timestamp() - interval '3 s'`,
    [],
  )
}

async function storeToken(tx: Tx, claim: Claim): Promise<void> {
  await tx.query('update banyan.fence set token = $2 where context = $1', [claim.context, claim.token])
}

function opening(claim: Claim, options: TokenOptions): string {
  const lines = ['begin isolation level read committed']
  const { limitMs = Number.POSITIVE_INFINITY } = options
  if (Number.isFinite(limitMs)) lines.push(`set local statement_timeout = ${limitMs}`)
  // Before the lock's bound: a chunk may hold it for longer, and whoever waits for it holds nothing yet.
  if (options.apply) {
    const lock = options.apply === 'share' ? 'pg_advisory_xact_lock_shared' : 'pg_advisory_xact_lock'
    lines.push(`select ${lock}(hashtext('banyan.apply'), hashtext(${literal(claim.context)}))`)
  }
  if (options.lockTimeoutMs !== undefined) {
    // The shorter deadlock_timeout makes the mover the victim, never the application (rule 18).
    lines.push(`set local lock_timeout = ${options.lockTimeoutMs}`, 'set local deadlock_timeout = 100')
  }
  if (options.applying) {
    lines.push(`set local banyan.applying = 'on'`, `set local session_replication_role = 'replica'`)
  }
  return lines.join('; ')
}

async function lockFenceRow(tx: Tx, claim: Claim, mode: 'share' | 'update') {
  const { rows } = await tx.query<{ token: string; closed: boolean }>(
    `select token, closed from banyan.fence where context = $1 for ${mode}`,
    [claim.context],
  )
  const row = rows[0]
  if (!row) throw new Error(`${claim.context}: no fence row in this database; run "banyan prepare" first`)
  const stored = BigInt(row.token)
  if (stored > claim.token) {
    throw new TokenOverruled(`${claim.context}: token ${claim.token} is overruled by ${stored}; this mover must stop`)
  }
  return { closed: row.closed, stored }
}
