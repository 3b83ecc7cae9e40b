import { runScripts } from '../run-scripts.ts'
import type { Sql } from '../sql.ts'

/**
 * Creates the outbox, and what it needs of ownership, in the schema `banyan`; harmless when it is there. Whoever
 * appends needs USAGE on the schema; whoever relays needs SELECT, UPDATE and DELETE on `banyan.outbox`.
 */
export async function installOutbox(sql: Sql): Promise<void> {
  const files = ['../ownership/participant.sql', './schema.sql']
  await runScripts(
    sql,
    files.map((file) => new URL(file, import.meta.url)),
  )
}
