import pg from 'pg'

/** A table whose rows are compared, in the words of the plan: where the left calls a column otherwise, it is renamed. */
export type WatchedTable = {
  table: string
  /** The name both sides' rows are reported under. */
  as: string
  /** Columns that have another name, or another form: SQL in which `$1` is the column. */
  columns?: Readonly<Record<string, { to: string; forward?: string | undefined }>> | undefined
}

export type RowWatch = {
  begin(): Promise<void>
  /** The rows inserted or updated since, by key; the keys of those deleted; by how many rows each table has grown. */
  collect(): Promise<Record<string, unknown>>
  /** How many of the context's events the outbox has taken since; null where the database has none. */
  eventsSince(): Promise<number | null>
  close(): Promise<void>
}

/**
 * Watches tables by the transactions that wrote their rows: nothing is installed, nothing written. What was deleted is
 * seen by the keys that were there before, which are kept in memory.
 */
export function createRowWatch(options: { url: string; tables: readonly WatchedTable[]; context: string }): RowWatch {
  const pool = new pg.Pool({
    ...{ connectionString: options.url, max: 2, application_name: 'banyan parity' },
    // A plan's own SQL is run here too: whatever it calls, it changes nothing.
    options: '-c default_transaction_read_only=on',
  })
  // A broken idle connection is replaced at its next use, which says what is wrong.
  pool.on('error', () => undefined)
  let tables: Promise<Watched[]> | undefined
  let horizon = '0'
  let lastEvent: string | null = null

  const horizonNow = async () =>
    String((await pool.query('select pg_snapshot_xmax(pg_current_snapshot())::text as at')).rows[0].at)

  async function open(): Promise<Watched[]> {
    return Promise.all(
      options.tables.map(async (table) => {
        const queries = await queriesOf(pool, table)
        const keys = await keysOf(pool, queries)
        return { ...queries, known: keys, count: await countOf(pool, queries) }
      }),
    )
  }

  async function collect(): Promise<Record<string, unknown>> {
    tables ??= open()
    const next = await horizonNow()
    const result: Record<string, unknown> = {}
    for (const table of await tables) {
      const count = await countOf(pool, table)
      const changed = (await pool.query(table.rows, [horizon])).rows.map(({ row }) => row as Row)
      result[table.as] = { changed, added: count - table.count, deleted: await deletedOf(pool, table, changed, count) }
      table.count = count
    }
    horizon = next
    return result
  }

  return {
    async begin() {
      if (tables) await collect()
      else {
        horizon = await horizonNow()
        tables = open()
        await tables
      }
      lastEvent = await lastEventOf(pool)
    },
    collect,
    async eventsSince() {
      if (lastEvent === null) return null
      const { rows } = await pool.query(
        `select count(*) filter (where context = $2) as count, coalesce(max(id), $1)::text as last
         from banyan.outbox where id > $1`,
        [lastEvent, options.context],
      )
      lastEvent = rows[0].last
      return Number(rows[0].count)
    },
    close: () => pool.end(),
  }
}

type Row = Record<string, unknown>
type Queries = Awaited<ReturnType<typeof queriesOf>>
type Watched = Queries & { known: Map<string, Row>; count: number }

async function countOf(pool: pg.Pool, { counting }: Queries): Promise<number> {
  return Number((await pool.query(counting)).rows[0].count)
}

/** Every key that is there, by its text, in the order of the keys. */
async function keysOf(pool: pg.Pool, { keys, keyNames }: Queries): Promise<Map<string, Row>> {
  if (keys === undefined) return new Map()
  const { rows } = await pool.query<{ key: Row }>(keys)
  return new Map(rows.map(({ key }) => [textOf(key, keyNames), key]))
}

const textOf = (row: Row, names: readonly string[]) => JSON.stringify(names.map((name) => row[name]))

/**
 * The keys that are there no more. All keys are read again only where the count says that some must have gone: fewer
 * rows than were known and have come.
 */
async function deletedOf(pool: pg.Pool, table: Watched, changed: readonly Row[], count: number): Promise<Row[]> {
  if (table.keys === undefined) return []
  for (const row of changed) {
    const key = Object.fromEntries(table.keyNames.map((name) => [name, row[name]]))
    table.known.set(textOf(key, table.keyNames), key)
  }
  if (table.known.size === count) return []
  const now = await keysOf(pool, table)
  const deleted = [...table.known].flatMap(([text, key]) => (now.has(text) ? [] : [key]))
  table.known = now
  return deleted
}

async function lastEventOf(pool: pg.Pool): Promise<string | null> {
  const { rows } = await pool.query("select to_regclass('banyan.outbox') is not null as there")
  if (!rows[0].there) return null
  return (await pool.query('select coalesce(max(id), 0)::text as last from banyan.outbox')).rows[0].last
}

async function queriesOf(pool: pg.Pool, { table, as, columns = {} }: WatchedTable) {
  const { rows } = await pool.query(
    `select a.attname as name, coalesce(a.attnum = any(i.indkey), false) as key
     from pg_attribute a left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
     where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped order by a.attnum`,
    [table],
  )
  if (rows.length === 0) throw new Error(`the table ${table} is not there; does the plan fit this database?`)
  const target = (name: string) => columns[name]?.to ?? name
  const named = (name: string) => {
    const forward = columns[name]?.forward ?? '$1'
    return `${forward.replaceAll('$1', pg.escapeIdentifier(name))} as ${pg.escapeIdentifier(target(name))}`
  }
  const all = rows.map(({ name }) => named(name))
  const keyed = rows.filter((row) => row.key).map(({ name }) => String(name))
  const key = keyed.map((name) => pg.escapeIdentifier(name))
  const from = pg.escapeIdentifier(table)
  return {
    as,
    rows: `select to_jsonb(r) as row from (
      select ${all.join(', ')} from ${from} where xmin::text::bigint >= $1::bigint & 4294967295
      order by ${key.length > 0 ? key.join(', ') : '1'}) r`,
    counting: `select count(*) from ${from}`,
    keyNames: keyed.map(target),
    // Without a primary key the count alone tells of deletions.
    keys:
      key.length > 0
        ? `select to_jsonb(k) as key from (select ${keyed.map(named).join(', ')} from ${from} order by ${key.join(', ')}) k`
        : undefined,
  }
}
