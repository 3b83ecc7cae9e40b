import { readFileSync } from 'node:fs'
import type { Sql } from '../sql.ts'

/**
 * Creates the outbox, and what it needs of ownership, in the schema `banyan`; harmless when it is there. Whoever
 * appends needs USAGE on the schema; whoever relays needs SELECT, UPDATE and DELETE on `banyan.outbox`.
 */
export async function installOutbox(sql: Sql): Promise<void> {
  for (const script of ['../ownership/participant.sql', './schema.sql']) {
    await sql.raw(readFileSync(new URL(script, import.meta.url), 'utf8'))
  }
}
