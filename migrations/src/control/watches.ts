import type { Queryable } from './contexts.ts'

/** One side's reads since the share was set. */
export type WatchedSide = {
  reads: number
  failed: number
  /** Milliseconds within which 99 % were answered; null without answers, or beyond every bound that is measured. */
  p99Ms: number | null
}

export type Watch = {
  context: string
  who: string
  share: number
  decision: 'continue' | 'promote' | 'pause' | 'back'
  because: string | null
  sides: { monolith: WatchedSide; service: WatchedSide }
}

/** Keeps what the guard said last of a context's reads; what it did because of it stands in the audit. */
export async function noteWatch(db: Queryable, watch: Watch): Promise<void> {
  const { context, who, share, decision, because, sides } = watch
  await db.query(
    `insert into banyan.watches (context, who, share, decision, because, sides) values ($1, $2, $3, $4, $5, $6)
     on conflict (context) do update set at = clock_timestamp(), who = excluded.who, share = excluded.share,
       decision = excluded.decision, because = excluded.because, sides = excluded.sides`,
    [context, who, share, decision, because, JSON.stringify(sides)],
  )
}
