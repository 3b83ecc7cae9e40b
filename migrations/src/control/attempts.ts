import type { Queryable } from './contexts.ts'
import type { Direction, Stored } from './stored.ts'

export type Attempt = {
  token: bigint
  direction: Direction
  intent: bigint | null
  ageMs: number
  /** Why it must be called off, if it must; `again` says whether another attempt may help. */
  trouble: { reason: string; again: boolean } | null
  /** The change that marks the end of the source's writes, once the fence stands. */
  marker: bigint | null
}
export type Aborts = { aborted: number; lastAbort: { reason: string; agoMs: number; again: boolean } | null }

/** Notes that an attempt begins; its token names it. One that was under way has been taken over. */
export async function beginAttempt(
  db: Queryable,
  context: string,
  token: bigint,
  direction: Direction,
  intent: bigint | null,
): Promise<void> {
  await db.query(
    `update banyan.attempts set ended_at = clock_timestamp(), result = 'taken-over'
     where context = $1 and ended_at is null and token < $2`,
    [context, String(token)],
  )
  await db.query(
    `insert into banyan.attempts (context, token, direction, intent) values ($1, $2, $3, $4) on conflict do nothing`,
    [context, String(token), direction, intent === null ? null : String(intent)],
  )
}

/** The attempt under way, or null. */
export async function attemptUnderWay(db: Queryable, context: string): Promise<Attempt | null> {
  const { rows } = await db.query(
    `select *, extract(epoch from clock_timestamp() - began_at) * 1000 as age_ms from banyan.attempts
     where context = $1 and ended_at is null order by token desc limit 1`,
    [context],
  )
  const row = rows[0]
  if (!row) return null
  return {
    token: BigInt(row.token),
    direction: row.direction,
    intent: row.intent === null ? null : BigInt(row.intent),
    ageMs: Number(row.age_ms),
    trouble: row.reason === null ? null : { reason: row.reason, again: row.again === true },
    marker: row.marker === null ? null : BigInt(row.marker),
  }
}

/** Stores the marker of the attempt's fence. */
export async function noteMarker(db: Queryable, context: string, token: bigint, marker: bigint): Promise<void> {
  await db.query('update banyan.attempts set marker = $3 where context = $1 and token = $2', [
    context,
    String(token),
    String(marker),
  ])
}

/** Notes how the attempt under way ended, and how many milliseconds each of its steps took. */
export async function endAttempt(
  db: Queryable,
  context: string,
  result: 'committed' | 'aborted',
  timings: Readonly<Record<string, number>>,
): Promise<{ reason: string | null; totalMs: number } | null> {
  const { rows } = await db.query(
    `update banyan.attempts set ended_at = clock_timestamp(), result = $2, timings = $3
     where context = $1 and ended_at is null
     returning reason, extract(epoch from clock_timestamp() - began_at) * 1000 as total_ms`,
    [context, result, JSON.stringify(timings)],
  )
  return rows[0] ? { reason: rows[0].reason, totalMs: Math.round(Number(rows[0].total_ms)) } : null
}

/** Writes down why this attempt must be called off, and never another mover's; the first reason stands. */
export async function noteTrouble(
  db: Queryable,
  attempt: Pick<Stored, 'context' | 'token'>,
  reason: string,
  again: boolean,
): Promise<void> {
  await db.query(
    `update banyan.attempts set reason = $3, again = $4
     where context = $1 and token = $2 and ended_at is null and reason is null`,
    [attempt.context, String(attempt.token), reason, again],
  )
}

/** How often an intent's attempts were aborted, and the last time. */
export async function abortsOf(db: Queryable, intent: bigint): Promise<Aborts> {
  const { rows } = await db.query(
    `select reason, coalesce(again, false) as again, count(*) over () as aborted,
       extract(epoch from clock_timestamp() - ended_at) * 1000 as ago_ms
     from banyan.attempts where intent = $1 and result = 'aborted' order by ended_at desc limit 1`,
    [String(intent)],
  )
  const row = rows[0]
  if (!row) return { aborted: 0, lastAbort: null }
  return {
    aborted: Number(row.aborted),
    lastAbort: { reason: row.reason ?? 'no reason noted', agoMs: Number(row.ago_ms), again: row.again },
  }
}

/** When the context last changed its owner, by the control database's clock. */
export async function lastSwitchAgoMs(db: Queryable, context: string): Promise<number | null> {
  const { rows } = await db.query(
    `select extract(epoch from clock_timestamp() - max(ended_at)) * 1000 as ago_ms
     from banyan.attempts where context = $1 and result = 'committed'`,
    [context],
  )
  return rows[0]?.ago_ms == null ? null : Number(rows[0].ago_ms)
}
