import type { Knex } from 'knex'
import knex from 'knex'
import pg from 'pg'

const INT8 = 20

// Ids and counters stay far below 2^53, and the API promises integers: bigint arrives as a number.
const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === INT8 && format !== 'binary'
      ? Number
      : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
}

/**
 * @param url a PostgreSQL connection string
 * @param options.name what pg_stat_activity shows
 * @param options.max connections of the pool
 */
export function connectDatabase(url: string, { name, max = 20 }: { name: string; max?: number }): Knex {
  return knex({
    client: 'pg',
    connection: { connectionString: url, types, application_name: name } as Knex.PgConnectionConfig,
    pool: { min: 0, max },
    acquireConnectionTimeout: 5_000,
  })
}
