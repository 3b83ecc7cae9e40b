/** Rule 26: `complete`, the one step without a way back. */
import { dropTriggers } from './capture.ts'
import type { Claim, Db, Lane, TableName, Tx } from './lane.ts'
import { inNameOrder, reversedLane } from './lane.ts'
import { LOCK_TIMEOUT_MS, retryLock } from './lock-retry.ts'
import { ident, qualified } from './sql-text.ts'
import { underToken } from './token.ts'

const RETIRED = 'retired'
const DEPENDENT_OBJECTS = '2BP01'

/**
 * Moves the old side's tables (the lane's `from`) to the schema `retired`, in the transaction that drops their fence:
 * at no moment could an application write them. What the engine kept there for the context goes too.
 * @throws LockBusy, TokenOverruled; Error if the old side is open
 */
export async function retireTables(lane: Lane, options: { deadlineMs?: number } = {}): Promise<void> {
  await retryLock(`${lane.context}: retiring the tables`, options.deadlineMs ?? 10_000, () =>
    underToken(
      lane.from,
      lane,
      'update',
      async ({ tx }) => {
        await makeSchema(tx)
        await dropTriggers(tx, lane)
        for (const table of inNameOrder(lane)) {
          await tx.query(`alter table ${qualified(table.source)} set schema ${RETIRED}`)
        }
        await forget(tx, lane)
      },
      { receiving: true, lockTimeoutMs: LOCK_TIMEOUT_MS },
    ),
  )
}

/** Takes capture and the fence away from the new owner's tables (the lane's `to`), which stay open for writes. */
export async function releaseTables(lane: Lane, options: { deadlineMs?: number } = {}): Promise<void> {
  const there = reversedLane(lane)
  await retryLock(`${lane.context}: releasing the tables`, options.deadlineMs ?? 10_000, () =>
    underToken(
      there.from,
      there,
      'update',
      async ({ tx, closed }) => {
        if (closed)
          throw new Error(`${lane.context}: the ${lane.toSide} does not accept writes; switch before completing`)
        await dropTriggers(tx, there)
        await forget(tx, there)
      },
      { lockTimeoutMs: LOCK_TIMEOUT_MS },
    ),
  )
}

/**
 * Drops retired tables for good; may be repeated. Fails, and drops nothing, if something outside of them still refers to
 * one.
 * @throws LockBusy, TokenOverruled; SideOpen if the old side is open
 */
export async function dropRetired(
  db: Db,
  claim: Claim,
  tables: readonly Pick<TableName, 'name'>[],
  options: { deadlineMs?: number } = {},
): Promise<void> {
  await retryLock(`${claim.context}: dropping the retired tables`, options.deadlineMs ?? 10_000, () =>
    underToken(db, claim, 'update', ({ tx }) => tx.query(dropRetiredSql(tables)), {
      receiving: true,
      lockTimeoutMs: LOCK_TIMEOUT_MS,
    }),
  )
}

/** The statement of `dropRetired`, which `--dry-run` shows. */
export function dropRetiredSql(tables: readonly Pick<TableName, 'name'>[]): string {
  return `drop table if exists ${tables.map((table) => `${RETIRED}.${ident(table.name)}`).join(', ')}`
}

/**
 * Whether the old side's tables (the lane's `from`) could be dropped now: tried, and taken back.
 * @returns what depends on them from outside, in PostgreSQL's words; null when nothing does
 * @throws LockBusy, TokenOverruled
 */
export async function dependsOnTables(lane: Lane): Promise<string | null> {
  const names = inNameOrder(lane).map((table) => qualified(table.source))
  const undo = new Error('taken back')
  const attempt = async ({ tx }: { tx: Tx }): Promise<never> => {
    await tx.query(`drop table ${names.join(', ')}`)
    throw undo
  }
  try {
    return await retryLock(`${lane.context}: the tables to be dropped`, 3000, () =>
      underToken(lane.from, lane, 'update', attempt, { receiving: true, lockTimeoutMs: LOCK_TIMEOUT_MS }),
    )
  } catch (error) {
    if (error === undo) return null
    const { code, detail, message } = error as { code?: string; detail?: string; message: string }
    if (code !== DEPENDENT_OBJECTS) throw error
    return detail ?? message
  }
}

async function makeSchema(tx: Tx): Promise<void> {
  const { rows } = await tx.query<{ missing: boolean }>('select to_regnamespace($1) is null as missing', [RETIRED])
  if (rows[0]?.missing) await tx.query(`create schema ${RETIRED}`)
}

/** The fence row stays, with its token: a mover of an older attempt must still find itself overruled. */
async function forget(tx: Tx, lane: Lane): Promise<void> {
  for (const table of ['changes', 'row_version', 'border', 'markers', 'canary', 'copy_progress', 'copy_aside']) {
    await tx.query(`delete from banyan.${table} where context = $1`, [lane.context])
  }
  await tx.query('delete from banyan.crossing_keys where context = $1', [lane.context])
}
