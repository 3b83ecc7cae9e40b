import type pg from 'pg'
import { recordAudit } from './audit.ts'

export type Reads = 'flag' | 'owner'

/**
 * Sets who answers a context's reads: `owner`, whatever the flag says, or what the flag says. Every proxy learns it by
 * the notification the row's trigger sends. The change and its audit line are one transaction.
 * @returns what it was before, or null for a context the control database does not know
 */
export async function setReads(
  pool: pg.Pool,
  change: { readonly context: string; readonly reads: Reads; readonly who: string; readonly why: string | null },
): Promise<Reads | null> {
  // No context is called so, and the database could not even look for it.
  if (change.context.includes('\0')) return null
  const client = await pool.connect()
  try {
    await client.query('begin')
    const { rows } = await client.query('select reads from banyan.contexts where context = $1 for update', [
      change.context,
    ])
    const before = rows[0]?.reads as Reads | undefined
    if (before !== undefined) {
      if (before !== change.reads) {
        await client.query('update banyan.contexts set reads = $2 where context = $1', [change.context, change.reads])
      }
      const { who, context, why } = change
      const line = { who, what: 'reads', context, why, old: { reads: before }, new: { reads: change.reads } }
      await recordAudit(client, { ...line, result: 'done' })
    }
    await client.query('commit')
    return before ?? null
  } catch (error) {
    // The error that matters is the first one; a failed rollback only means that the connection is gone.
    await client.query('rollback').catch(() => undefined)
    throw error
  } finally {
    client.release()
  }
}
