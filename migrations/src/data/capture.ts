/** Rules 1-5: every change of a context's tables becomes a row of `banyan.changes`, in the transaction that makes it. */
import { canaryMove } from './canary.ts'
import { mustReread } from './capture-check.ts'
import { captureDefinition, captureName } from './capture-function.ts'
import type { Lane, TableMove, Tx } from './lane.ts'
import { inNameOrder } from './lane.ts'
import { LOCK_TIMEOUT_MS, retryLock } from './lock-retry.ts'
import { ident, literal, qualified } from './sql-text.ts'
import { STRUCTURE, underToken } from './token.ts'

export { checkCapture } from './capture-check.ts'

import { CAPTURE, FENCE, TRUNCATE } from './trigger-names.ts'

/**
 * Installs, at the lane's `from`: capture, the TRUNCATE guard and the (still inactive) fence on every table of the
 * context. Call it for both lanes of a context. Run again, it changes nothing but what has drifted.
 * @param options deadlineMs for the tables' locks, 10 s where absent
 * @throws LockBusy, TokenOverruled
 */
export async function installCapture(lane: Lane, options: { deadlineMs?: number } = {}): Promise<void> {
  const db = lane.from
  await db.query('insert into banyan.fence (context) values ($1) on conflict do nothing', [lane.context])
  await retryLock(`${lane.context}: capture`, options.deadlineMs ?? 10_000, () =>
    underToken(
      db,
      lane,
      'update',
      async ({ tx }) => {
        for (const statement of await captureStatements(tx, lane)) await tx.query(statement)
        // What an older move left here is never applied again, and its tombstones say nothing about this one.
        await tx.query(`delete from banyan.changes where context = $1 and move < $2`, [lane.context, lane.move])
        for (const table of ['row_version', 'border', 'markers', 'copy_progress']) {
          await tx.query(`delete from banyan.${table} where context = $1 and move < $2`, [lane.context, lane.move])
        }
      },
      STRUCTURE,
    ),
  )
}

/** What `installCapture` runs, for the tables, triggers and foreign keys that are there now; `--dry-run` shows it. */
export async function captureStatements(tx: Tx, lane: Lane): Promise<string[]> {
  const role = await sessionUser(tx)
  const statements: string[] = []
  for (const table of inNameOrder(lane)) {
    statements.push(captureDefinition(table, await mustReread(tx, table)), triggersOf(lane, table, role))
    // One that is there already is left as it is, on or off.
    if (!(await hasFence(tx, table))) statements.push(fenceOf(lane, table, role))
  }
  const canary = canaryMove()
  return [...statements, captureDefinition(canary, false), canaryTrigger(lane, canary, role)]
}

/** Takes capture, guard and fence away from the lane's `from`, and what was captured there for the context. */
export async function removeCapture(lane: Lane, options: { deadlineMs?: number } = {}): Promise<void> {
  await retryLock(`${lane.context}: capture`, options.deadlineMs ?? 10_000, () =>
    underToken(
      lane.from,
      lane,
      'update',
      async ({ tx }) => {
        await dropTriggers(tx, lane)
        await tx.query('delete from banyan.changes where context = $1', [lane.context])
      },
      { lockTimeoutMs: LOCK_TIMEOUT_MS },
    ),
  )
}

/** Drops every trigger and capture function of the lane's `from`, in the transaction at hand. */
export async function dropTriggers(tx: Tx, lane: Lane): Promise<void> {
  for (const table of inNameOrder(lane)) {
    for (const name of [CAPTURE, FENCE, TRUNCATE]) {
      await tx.query(`drop trigger if exists ${ident(name)} on ${qualified(table.source)}`)
    }
    await tx.query(`drop function if exists banyan.${ident(captureName(table))}()`)
  }
  await tx.query(`drop trigger if exists ${ident(`${CAPTURE} ${lane.context}`)} on banyan.canary`)
}

async function sessionUser(tx: Tx): Promise<string> {
  const { rows } = await tx.query<{ role: string }>('select session_user as role')
  return rows[0]!.role
}

/** The mark of the mover's own writes: who it is *and* what it says; any role can set a setting (rule 4). */
function notTheMover(role: string): string {
  return `current_setting('banyan.applying', true) is distinct from 'on' or session_user <> ${literal(role)}`
}

/** The move number is the trigger's argument, never a row that an old snapshot may show (rule 5). */
function triggersOf(lane: Lane, table: TableMove, role: string): string {
  const on = qualified(table.source)
  const context = literal(lane.context)
  const event = `after insert or update or delete on ${on} for each row when (${notTheMover(role)})`
  const capture = `banyan.${ident(captureName(table))}(${context}, ${literal(String(lane.move))})`
  return `
    create or replace trigger ${ident(CAPTURE)} ${event} execute function ${capture};
    alter table ${on} enable always trigger ${ident(CAPTURE)};
    create or replace trigger ${ident(TRUNCATE)} before truncate on ${on}
      for each statement execute function banyan.refuse_truncate(${context});
    alter table ${on} enable always trigger ${ident(TRUNCATE)};`
}

async function hasFence(tx: Tx, table: TableMove): Promise<boolean> {
  const { rowCount } = await tx.query('select from pg_trigger where tgrelid = $1::regclass and tgname = $2', [
    qualified(table.source),
    FENCE,
  ])
  return rowCount !== 0
}

/** The fence, off until it is asked for. */
function fenceOf(lane: Lane, table: TableMove, role: string): string {
  const on = qualified(table.source)
  return `
    create trigger ${ident(FENCE)} after insert or update or delete on ${on} for each row
      when (${notTheMover(role)}) execute function banyan.reject_write(${literal(lane.context)});
    alter table ${on} disable trigger ${ident(FENCE)}`
}

function canaryTrigger(lane: Lane, canary: TableMove, role: string): string {
  const name = ident(`${CAPTURE} ${lane.context}`)
  const capture = `banyan.${ident(captureName(canary))}(${literal(lane.context)}, ${literal(String(lane.move))})`
  return `
    create or replace trigger ${name} after insert or update on banyan.canary for each row
      when (new.context = ${literal(lane.context)} and (${notTheMover(role)})) execute function ${capture};
    alter table banyan.canary enable always trigger ${name}`
}
