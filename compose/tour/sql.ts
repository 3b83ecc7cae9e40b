/**
 * A question to a database as the playbook shows it, on machines that have no psql:
 *   node compose/run.mjs compose/tour/sql.ts VARIABLE 'select …' [--equals VALUE]
 * VARIABLE names the environment variable with the database's URL. Prints the first column, a row a line; exit code 0
 * if it is the one value expected.
 */
import { parseArgs } from 'node:util'
import { connected } from '../provision/database.ts'

const { values, positionals } = parseArgs({ allowPositionals: true, options: { equals: { type: 'string' } } })
const [variable = '', question = ''] = positionals
const url = process.env[variable]
if (!url) {
  console.error(`the variable ${variable} is not set`)
  process.exit(1)
}
const rows = await connected(url, async (db) => {
  await db.query('set default_transaction_read_only = on')
  return (await db.query({ text: question, rowMode: 'array' })).rows as unknown[][]
})
const seen = rows.map(([first]) => String(first)).join('\n')
console.log(seen)
if (values.equals !== undefined && seen !== values.equals) {
  console.error(`expected ${values.equals}`)
  process.exit(1)
}
