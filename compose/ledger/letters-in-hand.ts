import { connected } from '../provision/database.ts'

/**
 * The events whose e-mail somebody has taken to send and not noted as sent.
 * @param url a database with the table of notifications, as a role that may read it
 */
export async function lettersInHand(url: string): Promise<string[]> {
  return await connected(url, async (db) => {
    const { rows } = await db.query(
      `select event_id as "eventId" from notifications where status = 'pending' and attempts > 0 and next_at > now()`,
    )
    return rows.map((row) => row.eventId as string)
  })
}
