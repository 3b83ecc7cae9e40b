/** Rules 6, 18, 21 and 22: closing and opening a side for applications. */
import { checkCapture } from './capture-check.ts'
import { fingerprintIn } from './fingerprint.ts'
import type { Claim, Db, Lane, TableName, Tx } from './lane.ts'
import { inNameOrder, tableId } from './lane.ts'
import { retryLock } from './lock-retry.ts'
import { insertMarker } from './marker.ts'
import { ask } from './open-db.ts'
import { ident, qualified } from './sql-text.ts'
import { BOUNDED, TokenOverruled, underToken } from './token.ts'
import { FENCE } from './trigger-names.ts'

export interface Ownership {
  readonly owner: 'monolith' | 'service'
  readonly term: bigint
}

/** Capture or the tables' structure is not what was verified; the source stays open. */
export class Drifted extends Error {
  override readonly name = 'Drifted'
  readonly code = 'drifted'
}

/**
 * Closes the lane's `to` from prepare on (rule 6): the triggers of `installCapture` must be there. What an application
 * wrote there since they are is no change that may go to the owner; verification finds the row.
 */
export async function closeTarget(lane: Lane, options: { deadlineMs?: number } = {}): Promise<void> {
  const tables = inNameOrder(lane).map((table) => table.target)
  await retryLock(`${lane.context}: closing the target`, options.deadlineMs ?? 10_000, () =>
    underToken(
      lane.to,
      lane,
      'update',
      async ({ tx }) => {
        await lockTables(tx, tables)
        await switchFence(tx, tables, 'on')
        await tx.query('update banyan.fence set token = $2, closed = true where context = $1', [
          lane.context,
          lane.token,
        ])
        await tx.query('delete from banyan.changes where context = $1', [lane.context])
      },
      BOUNDED,
    ),
  )
}

/**
 * Closes the lane's `from` and leaves the marker behind the last write, in one transaction. The lock on the tables
 * waits for earlier writers; those that queue behind it are rejected, at every isolation level.
 * @param options fingerprint: the hash that `from` had when it was verified, compared inside; deadlineMs: for all
 *   attempts, 3 s where absent
 * @returns the marker to wait for
 * @throws LockBusy, TokenOverruled, Drifted; the side is as it was then
 */
export async function fenceSource(
  lane: Lane,
  options: { fingerprint?: string; deadlineMs?: number } = {},
): Promise<{ marker: bigint }> {
  const tables = inNameOrder(lane).map((table) => table.source)
  return retryLock(`${lane.context}: the fence`, options.deadlineMs ?? 3000, () =>
    underToken(
      lane.from,
      lane,
      'update',
      async ({ tx }) => {
        await tx.query('update banyan.fence set token = $2, closed = true where context = $1', [
          lane.context,
          lane.token,
        ])
        await setOwner(tx, lane, { owner: 'moving' })
        await lockTables(tx, tables)
        await switchFence(tx, tables, 'on')
        await refuseDrift(tx, lane, tables, options.fingerprint)
        return { marker: await insertMarker(tx, lane) }
      },
      BOUNDED,
    ),
  )
}

/**
 * Opens the lane's `to` after the owner commit, with the new owner in the same transaction (rule 21).
 * @throws TokenOverruled unless the stored token is this attempt's own
 */
export async function unfenceTarget(lane: Lane, owner: Ownership, options: { deadlineMs?: number } = {}) {
  const tables = inNameOrder(lane).map((table) => table.target)
  await retryLock(`${lane.context}: opening the target`, options.deadlineMs ?? 3000, () =>
    underToken(
      lane.to,
      lane,
      'update',
      async ({ tx, stored }) => {
        if (stored !== lane.token) {
          throw new TokenOverruled(`${lane.context}: the target stores token ${stored}, not ${lane.token}; not opened`)
        }
        await open(tx, lane, tables, owner)
      },
      BOUNDED,
    ),
  )
}

/**
 * Gives the lane's `from` back to its owner (rule 22). Raises the token always, even on a side that looks open: a
 * fence of the overruled attempt may still be on its way. Where the fence row says open, no fence has ever committed,
 * so there is nothing to undo and no table is locked: the transaction that the fence gave up before may still be there.
 */
export async function restoreSource(lane: Lane, owner: Ownership, options: { deadlineMs?: number } = {}) {
  const tables = inNameOrder(lane).map((table) => table.source)
  await retryLock(`${lane.context}: opening the source`, options.deadlineMs ?? 3000, () =>
    underToken(
      lane.from,
      lane,
      'update',
      ({ tx, closed }) => (closed ? open(tx, lane, tables, owner) : correctOwner(tx, lane, owner)),
      BOUNDED,
    ),
  )
}

/**
 * Tells a side that stays closed who the owner is now, so that it answers "not owner" rather than "moving". Nobody can
 * write here by what they read before, so this waits for readers of the context's own row only, not for the table.
 */
export async function tellOwner(db: Db, claim: Claim, owner: Ownership): Promise<void> {
  await retryLock(`${claim.context}: the owner's name`, 3000, () =>
    underToken(db, claim, 'update', ({ tx }) => writeOwner(tx, claim, owner), BOUNDED),
  )
}

/** @returns whether this side is closed for applications, and the token it stores; null before prepare */
export async function readFence(db: Db, context: string): Promise<{ closed: boolean; token: bigint } | null> {
  const { rows } = await ask<{ closed: boolean; token: string }>(
    db,
    'select closed, token from banyan.fence where context = $1',
    [context],
  )
  return rows[0] ? { closed: rows[0].closed, token: BigInt(rows[0].token) } : null
}

async function open(tx: Tx, claim: Claim, tables: readonly TableName[], owner: Ownership): Promise<void> {
  await setOwner(tx, claim, owner)
  await lockTables(tx, tables)
  await switchFence(tx, tables, 'off')
  await tx.query('update banyan.fence set closed = false where context = $1', [claim.context])
}

/** The lock waits for every transaction that has decided by the owner and not yet ended. */
async function setOwner(tx: Tx, claim: Claim, owner: Ownership | { owner: 'moving' }): Promise<void> {
  await tx.query('lock table banyan.owner in exclusive mode')
  await writeOwner(tx, claim, owner)
}

/** Writes the owner only where it differs: the row's lock would wait for everyone who has decided by it. */
async function correctOwner(tx: Tx, claim: Claim, owner: Ownership): Promise<void> {
  const { rowCount } = await tx.query('select from banyan.owner where context = $1 and owner = $2 and term = $3', [
    claim.context,
    owner.owner,
    owner.term,
  ])
  if (rowCount === 0) await writeOwner(tx, claim, owner)
}

async function writeOwner(tx: Tx, claim: Claim, owner: Ownership | { owner: 'moving' }): Promise<void> {
  const term = 'term' in owner ? owner.term : null
  await tx.query(
    `insert into banyan.owner as o (context, owner, term) values ($1, $2, coalesce($3, 1))
      on conflict (context) do update set owner = excluded.owner, term = coalesce($3, o.term)`,
    [claim.context, owner.owner, term],
  )
}

async function lockTables(tx: Tx, tables: readonly TableName[]): Promise<void> {
  await tx.query(`lock table ${tables.map(qualified).join(', ')} in share row exclusive mode`)
}

async function switchFence(tx: Tx, tables: readonly TableName[], state: 'on' | 'off'): Promise<void> {
  const verb = state === 'on' ? 'enable always' : 'disable'
  await tx.query(tables.map((one) => `alter table ${qualified(one)} ${verb} trigger ${ident(FENCE)}`).join('; '))
}

async function refuseDrift(tx: Tx, lane: Lane, tables: readonly TableName[], expected?: string): Promise<void> {
  const faults = await checkCapture(lane, tx)
  if (faults.length > 0) throw new Drifted(faults.join('; '))
  if (expected === undefined) return
  const now = await fingerprintIn(tx, tables)
  if (now.hash !== expected) {
    throw new Drifted(`${lane.context}: ${tables.map(tableId).join(', ')} changed in structure since it was verified`)
  }
}
