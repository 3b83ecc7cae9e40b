import type { Queryable } from './contexts.ts'

export type Subscriber = { id: string; kind: 'proxy' | 'worker'; epochSeen: bigint; drained: boolean; leaseMs: number }

/** How long after its lease ended a subscriber is waited for before it is struck off (protocol rule 17). */
export const GRACE_MS = 3_000

/** Every proxy and worker of a context; `leaseMs` is what is left of its lease by the control database's clock. */
export async function readSubscribers(db: Queryable, context: string): Promise<Subscriber[]> {
  const { rows } = await db.query(
    `select id, kind, epoch_seen, drained, extract(epoch from lease_until - clock_timestamp()) * 1000 as lease_ms
     from banyan.subscribers where context = $1 order by id`,
    [context],
  )
  return rows.map((row) => ({
    id: row.id,
    kind: row.kind,
    epochSeen: BigInt(row.epoch_seen),
    drained: row.drained,
    leaseMs: Number(row.lease_ms),
  }))
}

/** Strikes off those whose lease ended 3 s ago, with a line in the audit for each. */
export async function removeLapsed(db: Queryable, context: string): Promise<string[]> {
  const { rows } = await db.query(
    `with gone as (
       delete from banyan.subscribers where context = $1
         and lease_until < clock_timestamp() - make_interval(secs => $2::float / 1000) returning id, kind, lease_until)
     insert into banyan.audit (who, what, context, old, why, result)
     select 'mover', 'remove ' || kind, $1, to_jsonb(gone), 'its lease ended more than 3 s ago', 'done' from gone
     returning old ->> 'id' as id`,
    [context, GRACE_MS],
  )
  return rows.map((row) => row.id)
}
