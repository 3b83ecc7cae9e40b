import { type Queryable, readContext } from './contexts.ts'

export const VERDICTS = ['alike', 'different', 'inconclusive'] as const

/** What a comparison of the two sides found, and of which builds. */
export type ParityRun = {
  verdict: (typeof VERDICTS)[number]
  monolithBuild: string
  serviceBuild: string
  agoMs: number
}

/** @throws Error where the control database does not know the context */
export async function recordParityRun(
  db: Queryable,
  context: string,
  run: Omit<ParityRun, 'agoMs'> & {
    who: string
    seed: number
    requests: number
    compared: number
    reasons: readonly string[]
  },
): Promise<void> {
  if (!(await readContext(db, context))) throw new Error(`the control database does not know ${context}: banyan init`)
  await db.query(
    `insert into banyan.parity_runs
       (context, who, verdict, monolith_build, service_build, seed, requests, compared, reasons)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      ...[context, run.who, run.verdict, run.monolithBuild, run.serviceBuild, run.seed, run.requests, run.compared],
      JSON.stringify(run.reasons),
    ],
  )
}

/** The last run of a context, of just these builds where they are said; null when there is none. */
export async function lastParityRun(
  db: Queryable,
  context: string,
  builds?: { monolith: string; service: string },
): Promise<ParityRun | null> {
  const { rows } = await db.query(
    `select *, extract(epoch from clock_timestamp() - at) * 1000 as ago_ms from banyan.parity_runs
     where context = $1 and monolith_build = coalesce($2, monolith_build) and service_build = coalesce($3, service_build)
     order by id desc limit 1`,
    [context, builds?.monolith ?? null, builds?.service ?? null],
  )
  const row = rows[0]
  if (!row) return null
  return {
    verdict: row.verdict,
    monolithBuild: row.monolith_build,
    serviceBuild: row.service_build,
    agoMs: Number(row.ago_ms),
  }
}
