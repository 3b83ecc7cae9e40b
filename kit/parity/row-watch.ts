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
  /** The rows inserted or updated since, as JSON by key, and by how many rows each table has grown. */
  collect(): Promise<Record<string, unknown>>
  /** How many of the context's events the outbox has taken since; null where the database has none. */
  eventsSince(): Promise<number | null>
  close(): Promise<void>
}

/** Watches tables by the transactions that wrote their rows: nothing is installed, nothing written. */
export function createRowWatch(options: { url: string; tables: readonly WatchedTable[]; context: string }): RowWatch {
  const pool = new pg.Pool({ connectionString: options.url, max: 2, application_name: 'banyan parity' })
  // A broken idle connection is replaced at its next use, which says what is wrong.
  pool.on('error', () => undefined)
  let queries: Promise<{ as: string; rows: string; count: string }[]> | undefined
  let horizon = '0'
  let counts: number[] = []
  let lastEvent: string | null = null

  const horizonNow = async () =>
    String((await pool.query('select pg_snapshot_xmax(pg_current_snapshot())::text as at')).rows[0].at)

  async function countAll(): Promise<number[]> {
    queries ??= Promise.all(options.tables.map((table) => queriesOf(pool, table)))
    const found: number[] = []
    for (const { count } of await queries) found.push(Number((await pool.query(count)).rows[0].count))
    return found
  }

  return {
    async begin() {
      counts = await countAll()
      horizon = await horizonNow()
      lastEvent = await lastEventOf(pool)
    },
    async collect() {
      const next = await horizonNow()
      const now = await countAll()
      const result: Record<string, unknown> = {}
      for (const [at, { as, rows }] of (await queries!).entries()) {
        const changed = (await pool.query(rows, [horizon])).rows.map(({ row }) => row)
        result[as] = { changed, added: now[at]! - counts[at]! }
      }
      counts = now
      horizon = next
      return result
    },
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
  const named = rows.map(({ name }) => {
    const { to = name, forward = '$1' } = columns[name] ?? {}
    return `${forward.replaceAll('$1', pg.escapeIdentifier(name))} as ${pg.escapeIdentifier(to)}`
  })
  const key = rows.filter((row) => row.key).map(({ name }) => pg.escapeIdentifier(name))
  const from = pg.escapeIdentifier(table)
  return {
    as,
    rows: `select to_jsonb(r) as row from (
      select ${named.join(', ')} from ${from} where xmin::text::bigint >= $1::bigint & 4294967295
      order by ${key.length > 0 ? key.join(', ') : '1'}) r`,
    count: `select count(*) from ${from}`,
  }
}
