import { readFileSync } from 'node:fs'
import type { Sql } from '../sql.ts'

/**
 * Creates the inbox, and what it needs of ownership, in the schema `banyan`; harmless when it is there. Whoever
 * consumes needs USAGE on the schema, and SELECT, INSERT, UPDATE and DELETE on `banyan.inbox` and
 * `banyan.inbox_failures`.
 */
export async function installInbox(sql: Sql): Promise<void> {
  for (const script of ['../ownership/participant.sql', './schema.sql']) {
    await sql.raw(readFileSync(new URL(script, import.meta.url), 'utf8'))
  }
}
