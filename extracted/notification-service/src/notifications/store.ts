import { ownerOf, requireOwner } from '@banyan/kit/ownership'
import type { Knex } from 'knex'
import type { Letter } from './letters.ts'
import { CONTEXT, SIDE } from './side.ts'

export type NotificationRow = {
  id: number
  event_id: string
  user_id: number
  type: string
  recipient: string
  subject: string
  body: string
  status: 'pending' | 'sent' | 'failed'
  attempts: number
  created_at: Date
  sent_at: Date | null
}

const MOST_ATTEMPTS = 20

const writeNotifications = <T>(db: Knex, work: (trx: Knex.Transaction) => Promise<T>): Promise<T> =>
  db.transaction(async (trx) => {
    await requireOwner(trx, CONTEXT, SIDE)
    return work(trx)
  })

export const toNotification = (row: NotificationRow) => ({
  id: row.id,
  type: row.type,
  subject: row.subject,
  body: row.body,
  status: row.status,
  createdAt: row.created_at.toISOString(),
  sentAt: row.sent_at?.toISOString() ?? null,
})

/** One letter an event. The inbox stays behind when the context moves; this table's unique event id comes along. */
export const keepLetter = async (
  trx: Knex.Transaction,
  event: { id: string; type: string },
  { userId, ...letter }: Letter,
): Promise<void> => {
  await trx('notifications')
    .insert({ event_id: event.id, user_id: userId, type: event.type, ...letter })
    .onConflict('event_id')
    .ignore()
}

/**
 * Takes the next letter that is due, and keeps others from taking it for `leaseMs`; none when the other side owns the
 * letters, whose business they then are. Of those to one person the first has to be sent before the next is taken, so
 * that nobody reads of a cancellation before the order.
 */
export const claimLetter = (db: Knex, leaseMs: number): Promise<NotificationRow | undefined> =>
  db.transaction(async (trx) => {
    if ((await ownerOf(trx, CONTEXT)).owner !== SIDE) return undefined
    const { rows } = await trx.raw<{ rows: NotificationRow[] }>(
      `update notifications set attempts = attempts + 1, next_at = now() + make_interval(secs => ?) where id = (
         select id from notifications due where status = 'pending' and next_at <= now() and not exists (
           select from notifications earlier
           where earlier.recipient = due.recipient and earlier.status = 'pending' and earlier.id < due.id)
         order by id limit 1 for update skip locked) returning *`,
      [leaseMs / 1000],
    )
    return rows[0]
  })

export const markSent = (db: Knex, id: number): Promise<void> =>
  writeNotifications(db, async (trx) => {
    await trx('notifications').where({ id }).update({ status: 'sent', sent_at: trx.fn.now() })
  })

/** Tried again later, each time twice as late; at last given up, for the shop's people to see. */
export const markUnsent = (db: Knex, { id, attempts }: NotificationRow): Promise<void> =>
  writeNotifications(db, async (trx) => {
    const seconds = Math.min(300, 2 ** Math.min(attempts, 10) / 4)
    await trx.raw(`update notifications set status = ?, next_at = now() + make_interval(secs => ?) where id = ?`, [
      attempts >= MOST_ATTEMPTS ? 'failed' : 'pending',
      seconds,
      id,
    ])
  })

export const listNotifications = async (
  db: Knex,
  userId: number,
  { page, size }: { page: number; size: number },
): Promise<{ items: NotificationRow[]; total: number }> => {
  const [count] = await db('notifications').where({ user_id: userId }).count('* as total')
  const items = await db<NotificationRow>('notifications')
    .where({ user_id: userId })
    .orderBy('id', 'desc')
    .limit(size)
    .offset((page - 1) * size)
  return { items, total: Number(count?.total ?? 0) }
}
