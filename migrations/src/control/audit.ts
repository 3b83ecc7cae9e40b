import type { Queryable } from './contexts.ts'

export type AuditLine = {
  who: string
  what: string
  context?: string
  old?: unknown
  new?: unknown
  why?: string | null
  result?: string
}

/** Adds a line to the append-only record: who, when, what, old, new, why, result. */
export async function recordAudit(db: Queryable, line: AuditLine): Promise<void> {
  const json = (value: unknown) =>
    value === undefined ? null : JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? String(part) : part))
  await db.query(
    'insert into banyan.audit (who, what, context, old, new, why, result) values ($1, $2, $3, $4, $5, $6, $7)',
    [line.who, line.what, line.context ?? null, json(line.old), json(line.new), line.why ?? null, line.result ?? null],
  )
}

/** The latest lines, newest first. */
export async function readAudit(db: Queryable, context: string | undefined, limit: number): Promise<unknown[]> {
  const { rows } = await db.query(
    `select id::int, at, who, what, context, old, new, why, result from banyan.audit
     where $1::text is null or context = $1 order by id desc limit $2`,
    [context ?? null, limit],
  )
  return rows
}
