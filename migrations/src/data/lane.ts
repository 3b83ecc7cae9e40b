/**
 * The words that every file of the data engine shares. A *lane* is one direction of one context's data: changes are
 * captured at `from`, and copied, applied and reconciled at `to`. Both lanes of a context exist from `prepare` on, so
 * that the way back needs no later start.
 */
import type pg from 'pg'

/** A pool of DIRECT connections as the mover's role (see `openDb`): fixed text settings, bounded idle transactions. */
export type Db = pg.Pool
export type Tx = pg.PoolClient

export type Side = 'monolith' | 'service'

export interface TableName {
  readonly schema: string
  readonly name: string
}

/** One column that both sides have. An expression reads the columns of its own side's table, functions qualified. */
export interface ColumnMove {
  /** Its name where the rows come from. */
  readonly source: string
  /** Its name where the rows go. */
  readonly target: string
  /** SQL over the source's columns that gives the target's value; the source column itself where absent. */
  readonly forward?: string
  /** The inverse: SQL over the target's columns that gives the source's value. */
  readonly back?: string
  /** Types without modifiers and schema-qualified, as `format_type(oid, -1)` prints them under `search_path = ''`. */
  readonly sourceType: string
  readonly targetType: string
  readonly sourceGenerated: boolean
  readonly targetGenerated: boolean
  readonly sourceIdentityAlways: boolean
  readonly targetIdentityAlways: boolean
}

/**
 * One table on its way in one direction. Key columns are mapped by name only (no expressions): a row's key, a JSON
 * array of its columns as text, is the same text on both sides.
 */
export interface TableMove {
  readonly source: TableName
  readonly target: TableName
  /** Primary key, in the index's order, by the names of the source; see `targetKey`. */
  readonly key: readonly string[]
  readonly columns: readonly ColumnMove[]
}

/** One direction of a context's data, under one attempt's token. */
export interface Lane {
  readonly context: string
  /** Raised by each prepare; the first half of every row's version. */
  readonly move: bigint
  /** The fencing token that this mover began with. */
  readonly token: bigint
  readonly from: Db
  readonly to: Db
  readonly fromSide: Side
  readonly toSide: Side
  /** In the order of the plan; parents first is kind to readers, nothing depends on it. */
  readonly tables: readonly TableMove[]
  /** Until when the attempt under way may last, by this process's clock; nothing of its transactions lasts longer. */
  readonly untilMs?: number | null
}

/** What a transaction of the mover has to say for itself in a participating database (rule 12). */
export type Claim = Pick<Lane, 'context' | 'token' | 'untilMs'>

/** A captured change, or a marker, as it travels: every value is text, so nothing is lost on the way. */
export interface Change {
  readonly id: string
  readonly context: string
  readonly move: string
  /** `u` upsert, `d` delete, `m` marker. */
  readonly op: 'u' | 'd' | 'm'
  /** `schema.name` at the capturing side; empty for a marker. */
  readonly tbl: string
  /** JSON array of the key's columns as text; empty for a marker. */
  readonly key: string
  /** JSON object of the receiver's columns as text; null for a delete, a marker, or a change that is `large`. */
  readonly row: string | null
  /** The row is over 4 MiB: it did not travel, the applier reads it at the source by its id. */
  readonly large?: boolean
  /** A marker's attempt. */
  readonly token: string | null
}

/** What the data engine needs of a broker; `change-lane.ts` makes one of `@banyan/kit/broker`. */
export interface ChangesBroker {
  /** Declares the exchange `banyan.changes` and the lane's queue; run again, it changes nothing. */
  declare(lane: LaneName): Promise<void>
  /** Publishes in order and waits for the broker; gives back which were confirmed, in the same order. */
  publish(lane: LaneName, messages: readonly { id: string; body: string }[]): Promise<boolean[]>
  /**
   * Hands over batches in the queue's order. `handle` says how many, from the first, are done; the rest comes first
   * in the next batch.
   */
  consume(lane: LaneName, handle: (bodies: readonly string[]) => Promise<number>): Promise<{ close(): Promise<void> }>
}

/** A lane's place on the broker: one queue for each direction of a context. */
export type LaneName = Pick<Lane, 'context' | 'toSide'>

/** The same table in the other direction. */
export function reversed(table: TableMove): TableMove {
  return {
    source: table.target,
    target: table.source,
    key: targetKey(table),
    columns: table.columns.map((column) => ({
      source: column.target,
      target: column.source,
      ...(column.back === undefined ? {} : { forward: column.back }),
      ...(column.forward === undefined ? {} : { back: column.forward }),
      sourceType: column.targetType,
      targetType: column.sourceType,
      sourceGenerated: column.targetGenerated,
      targetGenerated: column.sourceGenerated,
      sourceIdentityAlways: column.targetIdentityAlways,
      targetIdentityAlways: column.sourceIdentityAlways,
    })),
  }
}

/** The way back of a lane, under the same token. */
export function reversedLane(lane: Lane): Lane {
  return {
    ...lane,
    from: lane.to,
    to: lane.from,
    fromSide: lane.toSide,
    toSide: lane.fromSide,
    tables: lane.tables.map(reversed),
  }
}

/** The key's columns by their names at the target. */
export function targetKey(table: TableMove): string[] {
  return table.key.map((name) => keyColumn(table, name).target)
}

/** @throws Error when the key names a column that is not mapped; `tableMove` never builds such a table. */
export function keyColumn(table: TableMove, name: string): ColumnMove {
  const column = table.columns.find((one) => one.source === name)
  if (!column) throw new Error(`${tableId(table.source)}: key column "${name}" is not among the mapped columns`)
  return column
}

/** `schema.name`, as `banyan.changes.tbl` and `banyan.row_version.tbl` spell a table. */
export function tableId(table: TableName): string {
  return `${table.schema}.${table.name}`
}

/** The lane's tables in the order in which everyone locks them (rule 18). */
export function inNameOrder(lane: Lane): TableMove[] {
  return [...lane.tables].sort((a, b) => (tableId(a.source) < tableId(b.source) ? -1 : 1))
}
