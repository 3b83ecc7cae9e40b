/** How a process connects to its database, in the words of Knex, which the kit itself does not need. */
import pg from 'pg'

const INT8 = 20

type TypeParsers = { getTypeParser(oid: number, format?: string): (value: string) => unknown }

// Ids and counters stay far below 2^53, and an API promises integers: bigint arrives as a number.
const types: TypeParsers = {
  getTypeParser: (oid, format) =>
    oid === INT8 && format !== 'binary' ? Number : pg.types.getTypeParser(oid, format as 'text'),
}

export type DatabaseSettings = {
  client: 'pg'
  connection: { connectionString: string; types: TypeParsers; application_name: string }
  pool: { min: number; max: number }
  acquireConnectionTimeout: number
  compileSqlOnError: false
}

/**
 * @param url a PostgreSQL connection string
 * @param options.name what pg_stat_activity shows
 * @param options.max connections of the pool
 * @returns what `knex()` takes
 */
export function databaseSettings(url: string, { name, max = 20 }: { name: string; max?: number }): DatabaseSettings {
  return {
    client: 'pg',
    connection: { connectionString: url, types, application_name: name },
    pool: { min: 0, max },
    acquireConnectionTimeout: 5_000,
    // Knex would write the values into the statement that it puts before the message of every error.
    compileSqlOnError: false,
  }
}
