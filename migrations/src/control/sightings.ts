import type { Queryable } from './contexts.ts'
import type { Side } from './stored.ts'

/** Times since the mover last saw something, by the control database's clock; null when it never did. */
export type Sighting = {
  canaryAgoMs: number | null
  heartbeatAgoMs: number | null
  seenAgoMs: number | null
  seen: Record<string, unknown>
}

export async function readSighting(db: Queryable, context: string): Promise<Sighting> {
  const { rows } = await db.query(
    `select seen, extract(epoch from clock_timestamp() - s.canary_at) * 1000 as canary,
       extract(epoch from clock_timestamp() - c.heartbeat_applied) * 1000 as heartbeat,
       extract(epoch from clock_timestamp() - s.at) * 1000 as at
     from banyan.contexts c left join banyan.sightings s using (context) where c.context = $1`,
    [context],
  )
  const number = (value: unknown) => (value === null || value === undefined ? null : Number(value))
  const row = rows[0] ?? {}
  return {
    canaryAgoMs: number(row.canary),
    heartbeatAgoMs: number(row.heartbeat),
    seenAgoMs: number(row.at),
    seen: row.seen ?? {},
  }
}

/** Notes the heartbeat that has been applied on the side that does not own the context (read-your-writes). */
export async function noteHeartbeat(db: Queryable, context: string, at: Date): Promise<void> {
  await db.query(
    'update banyan.contexts set heartbeat_applied = $2 where context = $1 and heartbeat_applied is distinct from $2',
    [context, at],
  )
}

/** Notes that a canary row has come back. */
export async function noteCanary(db: Queryable, context: string): Promise<void> {
  await db.query(
    `insert into banyan.sightings (context, canary_at) values ($1, clock_timestamp())
     on conflict (context) do update set canary_at = excluded.canary_at`,
    [context],
  )
}

/** Keeps what `status` shows of a context: a plain object that JSON can hold. */
export async function noteSeen(db: Queryable, context: string, seen: Record<string, unknown>): Promise<void> {
  await db.query(
    `insert into banyan.sightings (context, seen) values ($1, $2)
     on conflict (context) do update set seen = excluded.seen, at = clock_timestamp()`,
    [context, JSON.stringify(seen)],
  )
}

/** A schema as it was prepared: one line a fact, and the hash over all of them. */
type Prepared = Readonly<Record<Side, { hash: string; lines: readonly string[] }>>

/** Stores both sides' schemas as they are prepared. */
export async function storeFingerprints(
  db: Queryable,
  context: string,
  move: bigint,
  prepared: Prepared,
): Promise<void> {
  await db.query(
    `insert into banyan.prepared (context, move, fingerprints) values ($1, $2, $3)
     on conflict (context, move) do update set fingerprints = excluded.fingerprints`,
    [context, String(move), JSON.stringify(prepared)],
  )
}

export async function preparedFingerprints(db: Queryable, context: string, move: bigint): Promise<Prepared | null> {
  const { rows } = await db.query('select fingerprints from banyan.prepared where context = $1 and move = $2', [
    context,
    String(move),
  ])
  return rows[0]?.fingerprints ?? null
}
