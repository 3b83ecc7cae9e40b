/** Whose a context is, asked inside the transaction that decides by the answer. */
import { refusal, type Side } from '../service/refusal.ts'
import type { Sql } from '../sql.ts'

export type Owner = { readonly owner: Side | 'moving'; readonly term: bigint }

/**
 * Reads the owner and share-locks it: a fence waits until this transaction ends, so what it decides stays right.
 * Ask before the first write. If the answer sends the work elsewhere, end the transaction first; a remote call made under
 * this lock would block the very move it waits for.
 * @param sql An open transaction (outside of one, the lock is gone with the answer).
 * @throws Error when this database does not know the context.
 */
export async function ownerOf(sql: Sql, context: string): Promise<Owner> {
  const { rows } = await sql.raw('select owner, term::text as term from banyan.owner_of(?)', [context])
  const row = rows[0]
  if (!row) throw new Error(`banyan.owner has no row for "${context}" here; name it in installParticipant`)
  return { owner: row.owner, term: BigInt(row.term) }
}

/**
 * Passes only for the owner.
 * @param side The side that this process is.
 * @returns The term, part of every event's sequence.
 * @throws Problem `421 not-owner`, or `503 fenced` while the context is moving. Nothing may have been written before.
 */
export async function requireOwner(sql: Sql, context: string, side: Side): Promise<bigint> {
  const { owner, term } = await ownerOf(sql, context)
  if (owner !== side) throw refusal(context, owner, side)
  return term
}
