/**
 * A clock of a database's own: the server's, moved. PostgreSQL has no setting for it, so what asks for the time is led
 * to functions that add the shift.
 */
import pg from 'pg'

const FUNCTIONS = ['now', 'transaction_timestamp', 'statement_timestamp', 'clock_timestamp']
/** `public` stays the first: what is made without a schema is made there. */
const PATH = '"$user", public, clock, pg_catalog'
const OWN = `n.nspname <> 'clock' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'`

/**
 * Makes the functions, and leads to them the defaults of columns, the functions that have a search path of their own,
 * and, by a trigger of each table, `CURRENT_TIMESTAMP` where it is the value written. A copy of the database has all of
 * this; `leadToClock` does the rest.
 * @param db a connection that ends before others open theirs, by a superuser
 * @param shiftMs a whole number
 */
export async function makeClock(db: pg.Client, shiftMs: number): Promise<void> {
  const shift = `interval '${shiftMs} milliseconds'`
  const defaults = await db.query<{ table: string; column: string; value: string }>(
    `select d.adrelid::regclass::text as table, a.attname as column,
       replace(pg_get_expr(d.adbin, d.adrelid), 'CURRENT_TIMESTAMP', 'now()') as value
     from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum and a.attgenerated = ''
     join pg_class c on c.oid = d.adrelid join pg_namespace n on n.oid = c.relnamespace
     where ${OWN} and pg_get_expr(d.adbin, d.adrelid) ~ '\\y(now|\\w+_timestamp)\\(\\)|CURRENT_TIMESTAMP'`,
  )
  await db.query('create schema clock')
  for (const name of FUNCTIONS) {
    const volatility = name === 'clock_timestamp' ? 'volatile' : 'stable'
    await db.query(
      `create function clock.${name}() returns timestamptz ${volatility} parallel safe
       return pg_catalog.${name}() + ${shift}`,
    )
  }
  await db.query(`set search_path = ${PATH}`)
  // Read while `now()` was the server's, written while it is the world's.
  for (const { table, column, value } of defaults.rows)
    await db.query(`alter table ${table} alter column ${pg.escapeIdentifier(column)} set default ${value}`)
  await leadFunctions(db)
  await shiftWrites(db, shift)
}

/** Has every connection from now on ask the clock that `makeClock` made in the database, or in the one it is a copy of. */
export async function leadToClock(db: pg.Client, database: string): Promise<void> {
  await db.query(`alter database ${pg.escapeIdentifier(database)} set search_path = ${PATH}`)
}

/** Those with a search path of their own do not see the connection's. */
async function leadFunctions(db: pg.Client): Promise<void> {
  const { rows } = await db.query<{ routine: string; path: string }>(
    `select p.oid::regprocedure::text as routine, substr(setting, length('search_path=') + 1) as path
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace, unnest(p.proconfig) setting
     where ${OWN} and setting like 'search_path=%'`,
  )
  for (const { routine, path } of rows) {
    const rest = path.split(/\s*,\s*/).filter((schema) => schema !== '""')
    const catalog = rest.includes('pg_catalog') ? [] : ['pg_catalog']
    await db.query(`alter routine ${routine} set search_path = ${['clock', ...catalog, ...rest].join(', ')}`)
  }
}

/**
 * `CURRENT_TIMESTAMP` is a word of the grammar, which no function can stand in for: the row is moved that is about to be
 * written with the very microsecond at which its transaction began.
 */
async function shiftWrites(db: pg.Client, shift: string): Promise<void> {
  const { rows } = await db.query<{ table: string; id: string; columns: { name: string; zoned: boolean }[] }>(
    `select c.oid::regclass::text as table, c.oid::text as id,
       json_agg(json_build_object('name', a.attname, 'zoned', a.atttypid = 'timestamptz'::regtype)) as columns
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
       and a.atttypid in ('timestamptz'::regtype, 'timestamp'::regtype)
     where ${OWN} and c.relkind in ('r', 'p') and not c.relispartition group by c.oid`,
  )
  for (const { table, id, columns } of rows) {
    const moves = columns.map(({ name, zoned }) => {
      const column = `new.${pg.escapeIdentifier(name)}`
      const began = zoned ? 'current_timestamp' : 'localtimestamp'
      return `if ${column} = ${began} then ${column} := ${column} + ${shift}; end if;`
    })
    await db.query(
      `create function clock.shift_${id}() returns trigger language plpgsql as $$ begin ${moves.join(' ')} return new; end $$`,
    )
    // Its name puts it behind all others, which may set such a time themselves.
    await db.query(
      `create trigger zz_clock before insert or update on ${table} for each row execute function clock.shift_${id}()`,
    )
  }
}
