import type { ClientBase, Pool } from 'pg'
import type { Direction, Phase, Side, Step, Stored } from './stored.ts'

/** Anything that runs a statement: the control pool, or the leader's own connection. */
export type Queryable = Pick<Pool | ClientBase, 'query'>

const COLUMNS: Readonly<Record<keyof Changes, string>> = {
  phase: 'phase',
  formerPhase: 'former_phase',
  direction: 'direction',
  step: 'step',
  owner: 'owner',
  hold: 'hold',
  reads: 'reads',
  paused: 'paused',
  token: 'token',
  term: 'term',
  move: 'move',
}

export type Changes = {
  phase?: Phase
  formerPhase?: Phase | null
  direction?: Direction | null
  step?: Step | null
  owner?: Side
  hold?: boolean
  reads?: 'flag' | 'owner'
  paused?: boolean
  token?: bigint
  term?: bigint
  move?: bigint
}

/** What the row must still be for a change to be made: the compare of compare-and-set. */
export type Compare = { token: bigint; phase: Phase; step?: Step | null }

/** Reads every context's row, or the rows of the contexts named. */
export async function readContexts(db: Queryable, contexts?: readonly string[]): Promise<Stored[]> {
  const { rows } = await db.query(
    'select * from banyan.contexts where $1::text[] is null or context = any($1) order by context',
    [contexts ?? null],
  )
  return rows.map(storedOf)
}

/**
 * Reads these contexts' rows, which stay as they are to the end of the transaction. They are locked in the order of their
 * names: two that lock some of the same rows wait for each other, and never both.
 */
export async function lockContexts(db: Queryable, contexts: readonly string[]): Promise<Stored[]> {
  const { rows } = await db.query(
    'select * from banyan.contexts where context = any($1) order by context for no key update',
    [contexts],
  )
  return rows.map(storedOf)
}

/** Reads one context's row; null when `banyan init` has never seen its plan. */
export async function readContext(db: Queryable, context: string): Promise<Stored | null> {
  return (await readContexts(db, [context]))[0] ?? null
}

/** Adds rows for contexts that have none; what is there stays. */
export async function addContexts(db: Queryable, contexts: readonly string[]): Promise<string[]> {
  const { rows } = await db.query(
    'insert into banyan.contexts (context) select unnest($1::text[]) on conflict do nothing returning context',
    [contexts],
  )
  return rows.map((row) => row.context)
}

/**
 * Changes a row only if token and phase (and step, where given) are still what the decision was made on (protocol
 * rules 16, 20 and 22). Says whether it was.
 */
export async function changeContext(
  db: Queryable,
  context: string,
  compare: Compare,
  changes: Changes,
): Promise<boolean> {
  const { text, values } = changeSql(context, compare, changes)
  return ((await db.query(text, values)).rowCount ?? 0) === 1
}

/** The statement of changeContext, which `--dry-run` shows. */
export function changeSql(context: string, compare: Compare, changes: Changes): { text: string; values: unknown[] } {
  const values: unknown[] = [context, String(compare.token), compare.phase]
  const place = (value: unknown) => `$${values.push(typeof value === 'bigint' ? String(value) : value)}`
  const sets = Object.entries(changes).map(([key, value]) => `${COLUMNS[key as keyof Changes]} = ${place(value)}`)
  const step = compare.step === undefined ? '' : ` and step is not distinct from ${place(compare.step)}`
  return {
    text: `update banyan.contexts set ${sets.join(', ')} where context = $1 and token = $2 and phase = $3${step}`,
    values,
  }
}

function storedOf(row: Record<string, unknown>): Stored {
  const big = (key: string) => BigInt(String(row[key]))
  return {
    context: String(row.context),
    phase: row.phase as Phase,
    formerPhase: row.former_phase as Phase | null,
    direction: row.direction as Direction | null,
    step: row.step as Step | null,
    owner: row.owner as Side,
    hold: row.hold === true,
    reads: row.reads as 'flag' | 'owner',
    paused: row.paused === true,
    epoch: big('epoch'),
    token: big('token'),
    term: big('term'),
    move: big('move'),
  }
}
