import { fromPg, listInstances } from '@banyan/kit/ownership'
import type pg from 'pg'

/** What the control database says of a context beside its row; written by the mover, and shown as it is. */
export type ControlContext = { readonly context: string; readonly [fact: string]: unknown }

export type Control = {
  /** Why it could not be asked; what follows is then empty. */
  readonly error: string | null
  /** Whether a mover leads. */
  readonly mover: boolean
  readonly contexts: readonly ControlContext[]
  readonly instances: readonly { readonly service: string; readonly url: string; readonly [fact: string]: unknown }[]
  readonly audit: readonly AuditEntry[]
}

export type AuditEntry = { readonly id: number; readonly [fact: string]: unknown }

/** Instances that have been silent for longer are taken for gone, and no longer shown. */
const SHOWN_MS = 60_000
const AUDIT_LINES = 50

/** Everything that the console takes from the control database; an outage is a finding, not a failure. */
export async function readControl(pool: pg.Pool): Promise<Control> {
  try {
    const [state, instances, audit] = await Promise.all([
      pool.query('select banyan.console_state() as state'),
      listInstances(fromPg(pool), { freshMs: SHOWN_MS }),
      readAudit(pool, null, AUDIT_LINES),
    ])
    const { mover, contexts, now } = state.rows[0].state
    return {
      error: null,
      mover,
      contexts,
      instances: instances.map(({ service, id, url, build, startedAt, heartbeatAt }) => ({
        ...{ service, id, url, build, startedAt },
        silentMs: Math.max(0, new Date(now).getTime() - heartbeatAt.getTime()),
      })),
      audit,
    }
  } catch (error) {
    return { error: describe(error), mover: false, contexts: [], instances: [], audit: [] }
  }
}

/** Lines of the audit, newest first. @param before only those older than this one */
export async function readAudit(pool: pg.Pool, before: number | null, limit: number): Promise<AuditEntry[]> {
  const { rows } = await pool.query(
    `select id::float8 as id, at, who, what, context, old, new, why, result from banyan.audit
     where $1::bigint is null or id < $1 order by id desc limit $2`,
    [before, limit],
  )
  return rows
}

/** An older schema, or a role without the right: what `banyan init` mends. */
export function isOutdated(error: unknown): boolean {
  return ['42883', '42P01', '42501'].includes((error as { code?: string }).code ?? '')
}

function describe(error: unknown): string {
  if (isOutdated(error)) return OUTDATED
  return 'The control database cannot be asked at the moment; what is shown of it is not known.'
}

export const OUTDATED =
  'The control database does not let this proxy see or ask: run `banyan init --proxies <its role>`.'
