/** Rule 19: before a side opens, its sequences are beyond everything the other side has given out. */
import type { Lane, TableName, Tx } from './lane.ts'
import { ident, literal, qualified } from './sql-text.ts'
import { BOUNDED, type Held, underToken } from './token.ts'

/** A sequence cannot get beyond the other side's: another attempt would not either. */
export class NoRoom extends Error {
  override readonly name = 'NoRoom'
  readonly code = 'no-room'
}

export interface SequencePair {
  readonly source: TableName
  readonly target: TableName
}

export interface SequenceState {
  readonly name: string
  readonly next: bigint
}

interface Sequence extends TableName {
  readonly column: string
}

interface Position {
  /** The value that `nextval` has reached, or would start from. */
  readonly last: bigint
  readonly increment: bigint
  readonly min: bigint
  readonly max: bigint
}

const MARGIN = 1000n

/**
 * Stores the attempt's token at the lane's `to` and, under it, sets every sequence of the tables to
 * GREATEST(its own, the source's, the greatest value in the column) + margin. Sequences are found by ownership,
 * identity and default; `declared` adds those that no column names.
 * @param options margin: in steps of the sequence, 1,000 where absent
 * Nobody's lock keeps it: a table that stays locked fails it, and the step is repeated while the budget lasts.
 * @throws TokenOverruled, SideOpen, NoRoom
 */
export async function alignSequences(
  lane: Lane,
  options: { declared?: readonly SequencePair[]; margin?: bigint } = {},
): Promise<SequenceState[]> {
  return underToken(
    lane.to,
    lane,
    'update',
    async ({ tx }) => {
      const states: SequenceState[] = []
      for (const wish of await wishes(lane, tx, options.declared ?? [])) {
        states.push(await align(tx, wish, options.margin ?? MARGIN))
      }
      return states
    },
    { ...BOUNDED, receiving: true },
  )
}

interface Wish {
  readonly target: TableName
  readonly source: TableName | null
  readonly sourcePosition: Position | null
  /** The column's extreme values at the target, where a column names the sequence. */
  readonly column: { table: TableName; name: string } | null
}

async function wishes(lane: Lane, tx: Tx, declared: readonly SequencePair[]): Promise<Wish[]> {
  const find = async ({ tx: source }: Held) => {
    const found: Wish[] = []
    for (const table of lane.tables) {
      const theirs = await sequencesOf(source, table.source)
      for (const sequence of await sequencesOf(tx, table.target)) {
        const column = table.columns.find((one) => one.target === sequence.column)
        const other = theirs.find((one) => one.column === column?.source) ?? null
        found.push({
          target: sequence,
          source: other,
          sourcePosition: other && (await positionOf(source, other)),
          column: { table: table.target, name: sequence.column },
        })
      }
    }
    for (const pair of declared) {
      const sourcePosition = await positionOf(source, pair.source)
      found.push({ target: pair.target, source: pair.source, sourcePosition, column: null })
    }
    return found
  }
  return underToken(lane.from, lane, 'share', find, BOUNDED)
}

/** Owned by, identity of, or named in the default of one of the table's columns. */
export async function sequencesOf(tx: Pick<Tx, 'query'>, table: TableName): Promise<Sequence[]> {
  const { rows } = await tx.query<Sequence>(
    `select distinct n.nspname as schema, s.relname as name, a.attname as column
      from (
        select d.objid as sequence, d.refobjsubid as attnum from pg_depend d
        where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass
          and d.refobjid = $1::regclass and d.deptype in ('a', 'i')
        union
        select d.refobjid, f.adnum from pg_attrdef f
          join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid
            and d.refclassid = 'pg_class'::regclass and d.refobjid <> f.adrelid
        where f.adrelid = $1::regclass
      ) used
      join pg_class s on s.oid = used.sequence and s.relkind = 'S' join pg_namespace n on n.oid = s.relnamespace
      join pg_attribute a on a.attrelid = $1::regclass and a.attnum = used.attnum
      order by 1, 2`,
    [qualified(table)],
  )
  return rows
}

async function positionOf(tx: Tx, sequence: TableName): Promise<Position> {
  const { rows } = await tx.query<Record<'last' | 'increment' | 'min' | 'max', string>>(
    `select case when s.is_called then s.last_value else s.last_value - q.seqincrement end::text as last,
        q.seqincrement::text as increment, q.seqmin::text as min, q.seqmax::text as max
      from ${qualified(sequence)} s, pg_sequence q where q.seqrelid = ${literal(qualified(sequence))}::regclass`,
  )
  const row = rows[0]!
  return { last: BigInt(row.last), increment: BigInt(row.increment), min: BigInt(row.min), max: BigInt(row.max) }
}

async function align(tx: Tx, wish: Wish, margin: bigint): Promise<SequenceState> {
  const own = await positionOf(tx, wish.target)
  const up = own.increment > 0n
  const reached = [own.last, ...(wish.sourcePosition ? [wish.sourcePosition.last] : [])]
  if (wish.column) reached.push(...(await extremes(tx, wish.column, up)))
  const furthest = reached.reduce((a, b) => ((up ? b > a : b < a) ? b : a))
  // On the sequence's own grid, so that two sides that step by two never meet.
  const steps = (furthest - own.last + own.increment - (up ? 1n : -1n)) / own.increment
  const value = own.last + (steps + margin) * own.increment
  if (value > own.max || value < own.min) {
    throw new NoRoom(
      `sequence ${qualified(wish.target)} has no room: it would stand at ${value} of ${own.min}…${own.max}`,
    )
  }
  await tx.query('select setval($1::regclass, $2::bigint, true)', [qualified(wish.target), value])
  return { name: `${wish.target.schema}.${wish.target.name}`, next: value + own.increment }
}

async function extremes(tx: Tx, column: { table: TableName; name: string }, up: boolean): Promise<bigint[]> {
  const { rows } = await tx.query<{ value: string | null }>(
    `select ${up ? 'max' : 'min'}(${ident(column.name)})::text as value from ${qualified(column.table)}`,
  )
  const value = rows[0]?.value
  return value === null || value === undefined || !/^-?\d+$/.test(value) ? [] : [BigInt(value)]
}
