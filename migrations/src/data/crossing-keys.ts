/** Foreign keys between a context's tables and the others in the same database: they cannot outlive the move. */
import type { Claim, Db, TableName, Tx } from './lane.ts'
import { LOCK_TIMEOUT_MS, retryLock } from './lock-retry.ts'
import { ask } from './open-db.ts'
import { ident, qualified } from './sql-text.ts'
import { type TokenOptions, underToken } from './token.ts'

export interface CrossingKey {
  /** The table that refers. */
  readonly table: TableName
  readonly refersTo: TableName
  readonly name: string
  readonly columns: readonly string[]
  /** As `pg_get_constraintdef` prints it. */
  readonly definition: string
  readonly onDelete: 'no action' | 'restrict' | 'cascade' | 'set null' | 'set default'
}

const BRIEF_LOCKS: TokenOptions = { lockTimeoutMs: LOCK_TIMEOUT_MS }

/** @returns every foreign key with exactly one end among `tables`; those of partitions go and come with their table's */
export async function findCrossingKeys(db: Db, tables: readonly TableName[]): Promise<CrossingKey[]> {
  const { rows } = await ask<CrossingKey>(
    db,
    `with mine as (
        select c.oid from unnest($1::text[], $2::text[]) t(schema, name)
          join pg_namespace n on n.nspname = t.schema join pg_class c on c.relnamespace = n.oid and c.relname = t.name
      )
      select json_build_object('schema', cn.nspname, 'name', c.relname) as table,
        json_build_object('schema', fn.nspname, 'name', f.relname) as "refersTo",
        k.conname as name, pg_get_constraintdef(k.oid) as definition,
        array(select a.attname::text from unnest(k.conkey) with ordinality u(attnum, place)
          join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.attnum order by u.place) as columns,
        case k.confdeltype when 'a' then 'no action' when 'r' then 'restrict' when 'c' then 'cascade'
          when 'n' then 'set null' else 'set default' end as "onDelete"
      from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace cn on cn.oid = c.relnamespace
        join pg_class f on f.oid = k.confrelid join pg_namespace fn on fn.oid = f.relnamespace
      where k.contype = 'f' and k.conparentid = 0 and (k.conrelid in (table mine)) <> (k.confrelid in (table mine))
      order by cn.nspname, c.relname, k.conname`,
    [tables.map((table) => table.schema), tables.map((table) => table.name)],
  )
  return rows
}

/**
 * Drops the keys that cross and remembers them, in one transaction of its own. Run again, it adds what it finds.
 * @throws LockBusy, TokenOverruled
 */
export async function dropCrossingKeys(
  db: Db,
  claim: Claim,
  tables: readonly TableName[],
  options: { deadlineMs?: number } = {},
): Promise<CrossingKey[]> {
  const keys = await findCrossingKeys(db, tables)
  if (keys.length === 0) return keys
  await retryLock(`${claim.context}: crossing foreign keys`, options.deadlineMs ?? 3000, () =>
    underToken(
      db,
      claim,
      'update',
      async ({ tx }) => {
        for (const key of keys) {
          await tx.query(
            `insert into banyan.crossing_keys (context, tbl, name, definition) values ($1, $2, $3, $4)
              on conflict (context, tbl, name) do update set definition = excluded.definition`,
            [claim.context, qualified(key.table), key.name, key.definition],
          )
          await tx.query(`alter table ${qualified(key.table)} drop constraint if exists ${ident(key.name)}`)
        }
      },
      BRIEF_LOCKS,
    ),
  )
  return keys
}

/**
 * Brings the remembered keys back as NOT VALID: new rows are checked at once, old ones by `validateCrossingKeys`. A
 * partitioned table cannot have such a key before PostgreSQL 18: its key comes back with the check of its old rows.
 * @throws LockBusy, TokenOverruled
 */
export async function restoreCrossingKeys(db: Db, claim: Claim, options: { deadlineMs?: number } = {}): Promise<void> {
  const keys = await remembered(db, claim)
  if (keys.length === 0) return
  await retryLock(`${claim.context}: crossing foreign keys`, options.deadlineMs ?? 3000, () =>
    underToken(
      db,
      claim,
      'update',
      async ({ tx }) => {
        for (const key of keys) {
          if ((await isPartitioned(tx, key)) || (await exists(tx, key))) continue
          await tx.query(`${addition(key)} not valid`)
        }
      },
      BRIEF_LOCKS,
    ),
  )
}

/**
 * Validates the keys that `restoreCrossingKeys` brought back, and forgets them.
 * @returns the keys that old rows violate, with the reason; they stay NOT VALID, or away, and are tried again next time
 */
export async function validateCrossingKeys(db: Db, claim: Claim): Promise<{ name: string; reason: string }[]> {
  const violated: { name: string; reason: string }[] = []
  for (const key of await remembered(db, claim)) {
    try {
      await retryLock(`${claim.context}: validating ${key.name}`, 3000, () =>
        underToken(
          db,
          claim,
          'update',
          async ({ tx }) => {
            const back = await exists(tx, key)
            await tx.query(back ? `alter table ${key.tbl} validate constraint ${ident(key.name)}` : addition(key))
            await tx.query('delete from banyan.crossing_keys where context = $1 and tbl = $2 and name = $3', [
              claim.context,
              key.tbl,
              key.name,
            ])
          },
          BRIEF_LOCKS,
        ),
      )
    } catch (error) {
      if ((error as { code?: string }).code !== '23503') throw error
      violated.push({ name: key.name, reason: (error as Error).message })
    }
  }
  return violated
}

type Remembered = { tbl: string; name: string; definition: string }

async function remembered(db: Db, claim: Claim) {
  const { rows } = await ask<Remembered>(
    db,
    'select tbl, name, definition from banyan.crossing_keys where context = $1 order by tbl, name',
    [claim.context],
  )
  return rows
}

const addition = ({ tbl, name, definition }: Remembered): string =>
  `alter table ${tbl} add constraint ${ident(name)} ${definition.replace(/ not valid$/i, '')}`

async function isPartitioned(tx: Tx, { tbl }: Remembered): Promise<boolean> {
  const { rowCount } = await tx.query(`select from pg_class where oid = $1::regclass and relkind = 'p'`, [tbl])
  return rowCount === 1
}

async function exists(tx: Tx, key: { tbl: string; name: string }): Promise<boolean> {
  const { rowCount } = await tx.query('select from pg_constraint where conrelid = $1::regclass and conname = $2', [
    key.tbl,
    key.name,
  ])
  return rowCount === 1
}
