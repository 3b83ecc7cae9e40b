/** Reads a table's shape from the catalogue, and pairs two shapes into a table move. */
import type { ColumnMove, Db, TableMove, TableName } from './lane.ts'
import { tableId } from './lane.ts'
import { ask } from './open-db.ts'

export interface ColumnShape {
  readonly name: string
  /** Schema-qualified, without modifiers: a cast to it never cuts or rounds; the assignment afterwards complains. */
  readonly type: string
  readonly generated: boolean
  readonly identityAlways: boolean
  readonly notNull: boolean
  readonly hasDefault: boolean
}

export interface TableShape extends TableName {
  readonly columns: readonly ColumnShape[]
  /** Primary key columns in the index's order; empty where there is none. */
  readonly key: readonly string[]
  readonly keyDeferrable: boolean
  /** Partitioned, a partition, or part of an inheritance tree: the engine does not move those. */
  readonly inherited: boolean
}

/** How a plan departs from "same name, same value" for one column; `drop` leaves it out. */
export type ColumnRule = { target?: string; forward?: string; back?: string } | 'drop'

/** @returns the table's shape, or null if there is no such ordinary or partitioned table */
export async function describeTable(db: Db, table: TableName): Promise<TableShape | null> {
  const { rows } = await ask(
    db,
    `select c.oid::text as oid, c.relkind = 'p' or c.relispartition
        or exists (select from pg_inherits where c.oid in (inhrelid, inhparent)) as inherited
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p')`,
    [table.schema, table.name],
  )
  if (!rows[0]) return null
  const columns = await ask<ColumnShape>(
    db,
    `select a.attname as name, format_type(a.atttypid, -1) as type, a.attgenerated <> '' as generated,
        a.attidentity = 'a' as "identityAlways", a.attnotnull as "notNull",
        a.atthasdef or a.attidentity <> '' as "hasDefault"
      from pg_attribute a where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped order by a.attnum`,
    [rows[0].oid],
  )
  const key = await ask(
    db,
    `select a.attname as name, not i.indimmediate as deferrable
      from pg_index i cross join unnest(i.indkey::int2[]) with ordinality k(attnum, place)
        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
      where i.indrelid = $1::oid and i.indisprimary and k.place <= i.indnkeyatts order by k.place`,
    [rows[0].oid],
  )
  return {
    schema: table.schema,
    name: table.name,
    columns: columns.rows,
    key: key.rows.map((row) => row.name),
    keyDeferrable: key.rows.some((row) => row.deferrable),
    inherited: rows[0].inherited,
  }
}

/**
 * Pairs two tables. Columns pair by name unless a rule says otherwise; the key pairs by name or renaming only.
 * @param rules by the source's column names
 * @throws Error naming table, column and remedy when the two cannot be paired
 */
export function tableMove(
  source: TableShape,
  target: TableShape,
  rules: Readonly<Record<string, ColumnRule>> = {},
): TableMove {
  const id = tableId(source)
  for (const name of Object.keys(rules)) {
    if (!source.columns.some((column) => column.name === name)) throw new Error(`${id}: no column "${name}" to map`)
  }
  const columns = source.columns.flatMap((column) => pair(id, column, target, rules[column.name]))
  checkKey(id, source, target, columns)
  const covered = new Map<string, string>()
  for (const column of columns) {
    const other = covered.get(column.target)
    if (other !== undefined)
      throw new Error(
        `${id}: "${other}" and "${column.source}" both become "${column.target}" of ${tableId(target)}; map each to a column of its own`,
      )
    covered.set(column.target, column.source)
  }
  const orphan = target.columns.find((one) => !covered.has(one.name) && one.notNull && !one.hasDefault)
  if (orphan) {
    throw new Error(`${tableId(target)}: column "${orphan.name}" is NOT NULL without a default and nothing maps to it`)
  }
  return { source: name(source), target: name(target), key: source.key, columns }
}

function pair(id: string, column: TableShape['columns'][number], target: TableShape, rule?: ColumnRule): ColumnMove[] {
  if (rule === 'drop') return []
  const wanted = rule?.target ?? column.name
  const other = target.columns.find((one) => one.name === wanted)
  if (!other) {
    throw new Error(
      `${id}: column "${column.name}" has no "${wanted}" in ${tableId(target)}; map it to a column there, or add one`,
    )
  }
  if ((rule?.forward === undefined) !== (rule?.back === undefined)) {
    throw new Error(`${id}: column "${column.name}" needs both forward and back, or the way back would not be one`)
  }
  return [
    {
      source: column.name,
      target: other.name,
      ...(rule?.forward === undefined ? {} : { forward: rule.forward, back: rule.back! }),
      sourceType: column.type,
      targetType: other.type,
      sourceGenerated: column.generated,
      targetGenerated: other.generated,
      sourceIdentityAlways: column.identityAlways,
      targetIdentityAlways: other.identityAlways,
    },
  ]
}

function checkKey(id: string, source: TableShape, target: TableShape, columns: readonly ColumnMove[]): void {
  if (source.key.length === 0) throw new Error(`${id}: no primary key; the engine tells rows apart by it`)
  const mapped = source.key.map((key) => columns.find((column) => column.source === key))
  if (mapped.some((column) => !column || column.forward !== undefined)) {
    throw new Error(`${id}: the primary key can be renamed, but neither dropped nor computed`)
  }
  const names = mapped.map((column) => column?.target)
  if (names.length !== target.key.length || names.some((one, place) => one !== target.key[place])) {
    throw new Error(`${id}: its key maps to (${names.join(', ')}), ${tableId(target)} has (${target.key.join(', ')})`)
  }
}

function name(shape: TableName): TableName {
  return { schema: shape.schema, name: shape.name }
}
