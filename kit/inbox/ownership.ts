import { setTimeout as delay } from 'node:timers/promises'
import type { Sql } from '../sql.ts'
import { NotOwner } from './deliver.ts'
import type { InTransaction } from './failures.ts'

export type Side = 'monolith' | 'service'

const POLL_MS = 250

/**
 * For the transaction that is about to handle a message: the owner's row stays share-locked to its end, so a fence
 * waits for it and cannot slip in between.
 * @throws NotOwner
 */
export async function requireOwner(sql: Sql, context: string, side: Side): Promise<void> {
  const owner = await readOwner(sql, context)
  if (owner !== side) throw new NotOwner(`${context} is owned by ${owner ?? 'nobody'}, not by the ${side}`)
}

/** Resolves true once this database says that `side` owns `context`, false when `signal` aborts before. */
export async function waitForOwner(
  transaction: InTransaction,
  context: string,
  side: Side,
  signal: AbortSignal,
): Promise<boolean> {
  while (!signal.aborted) {
    // A database that cannot answer is asked again: without its word nobody is the owner, so nothing is consumed.
    const owner = await transaction((sql) => readOwner(sql, context)).catch(() => undefined)
    if (owner === side) return true
    await delay(POLL_MS, undefined, { signal }).catch(() => undefined)
  }
  return false
}

/** `monolith`, `service`, `moving`, or undefined where the context is not known. */
export async function readOwner(sql: Sql, context: string): Promise<string | undefined> {
  const { rows } = await sql.raw('select owner from banyan.owner_of(?)', [context])
  return rows[0]?.owner
}
