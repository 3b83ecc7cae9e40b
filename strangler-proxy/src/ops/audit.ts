import type { ClientBase, Pool } from 'pg'

export type AuditLine = {
  readonly who: string
  readonly what: string
  readonly context?: string | null
  readonly old?: object
  readonly new?: object
  readonly why?: string | null
  readonly result: 'done' | 'refused' | 'failed'
}

/** Adds a line to the append-only record of the control database. */
export async function recordAudit(db: Pick<Pool | ClientBase, 'query'>, line: AuditLine): Promise<void> {
  await db.query(
    'insert into banyan.audit (who, what, context, old, new, why, result) values ($1, $2, $3, $4, $5, $6, $7)',
    [line.who, line.what, line.context ?? null, json(line.old), json(line.new), line.why ?? null, line.result],
  )
}

function json(value: object | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value)
}
