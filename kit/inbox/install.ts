import { runScripts } from '../run-scripts.ts'
import type { Sql } from '../sql.ts'

/**
 * Creates the inbox, and what it needs of ownership, in the schema `banyan`; harmless when it is there. Whoever
 * consumes needs USAGE on the schema, and SELECT, INSERT, UPDATE and DELETE on `banyan.inbox` and
 * `banyan.inbox_failures`.
 */
export async function installInbox(sql: Sql): Promise<void> {
  const files = ['../ownership/participant.sql', './schema.sql']
  await runScripts(
    sql,
    files.map((file) => new URL(file, import.meta.url)),
  )
}
