import { currentContext } from '../service/request-context.ts'
import type { Sql } from '../sql.ts'

/**
 * Runs `handler` unless this consumer has handled the event already, in the caller's transaction: the note that it was
 * handled commits, or goes, with what the handler did. Two deliveries at the same time wait for each other here.
 */
export async function handleOnce(
  sql: Sql,
  consumer: string,
  eventId: string,
  handler: () => Promise<void>,
): Promise<'handled' | 'duplicate'> {
  const { rows } = await sql.raw(
    `insert into banyan.inbox (consumer, event_id, traceparent) values (?, ?, ?)
     on conflict do nothing returning 1 as fresh`,
    [consumer, eventId, currentContext()?.traceparent ?? null],
  )
  if (rows.length === 0) return 'duplicate'
  await handler()
  return 'handled'
}
