import type { Queryable } from './contexts.ts'

export type Verification = {
  intent: bigint | null
  rows: number
  different: number
  differences: readonly unknown[]
  agoMs: number
  seconds: number
  voidedBy: string | null
}

export async function recordVerification(
  db: Queryable,
  context: string,
  found: Pick<Verification, 'intent' | 'rows' | 'different' | 'differences' | 'seconds'> & { move: bigint },
): Promise<void> {
  await db.query(
    `insert into banyan.verifications (context, move, intent, rows_compared, different, differences, seconds)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      context,
      String(found.move),
      found.intent === null ? null : String(found.intent),
      found.rows,
      found.different,
      JSON.stringify(found.differences),
      found.seconds,
    ],
  )
}

/** The latest verification of the present move; null when there is none. */
export async function lastVerification(db: Queryable, context: string): Promise<Verification | null> {
  const { rows } = await db.query(
    `select v.*, extract(epoch from clock_timestamp() - v.at) * 1000 as ago_ms
     from banyan.verifications v join banyan.contexts c using (context, move)
     where v.context = $1 order by v.id desc limit 1`,
    [context],
  )
  const row = rows[0]
  if (!row) return null
  return {
    intent: row.intent === null ? null : BigInt(row.intent),
    rows: Number(row.rows_compared),
    different: Number(row.different),
    differences: row.differences,
    agoMs: Number(row.ago_ms),
    seconds: row.seconds,
    voidedBy: row.voided_by,
  }
}

/** A repair, or whatever else changes rows behind the changes' back, ends the worth of what was verified before. */
export async function voidVerifications(db: Queryable, context: string, by: string): Promise<void> {
  await db.query('update banyan.verifications set voided_by = $2 where context = $1 and voided_by is null', [
    context,
    by,
  ])
}
