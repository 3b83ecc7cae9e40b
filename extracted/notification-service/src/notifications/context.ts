import type { Broker } from '@banyan/kit/broker'
import { consumeEvents, type EventHandler } from '@banyan/kit/inbox'
import type { WorkGate } from '@banyan/kit/ownership'
import { type Context, failPoint, type Logger, pageQuery, requireUser, startPeriodic } from '@banyan/kit/service'
import { Router } from 'express'
import type { Knex } from 'knex'
import { LETTERS } from './letters.ts'
import { createMailer, type Mailer } from './mailer.ts'
import type { NotificationsSettings } from './settings.ts'
import { CONTEXT, SIDE } from './side.ts'
import {
  claimLetters,
  keepLetter,
  listNotifications,
  markSent,
  markUnsent,
  type NotificationRow,
  toNotification,
} from './store.ts'

const BATCH = 20

export type NotificationsDeps = {
  config: NotificationsSettings
  db: Knex
  broker: Broker | undefined
  gate: WorkGate
  logger: Logger
}

/** The notifications context: a letter for each event that customers want to hear of, sent by a worker. */
export const notificationsContext = (deps: NotificationsDeps): Context => {
  const { config, db, logger } = deps
  const routes = Router()
  routes.get('/api/notifications', requireUser, async (req, res) => {
    const { page, size } = pageQuery.parse(req.query)
    const { items, total } = await listNotifications(db, Number(req.user?.id), { page, size })
    res.set('Cache-Control', 'private, no-cache').json({ items: items.map(toNotification), page, size, total })
  })

  const handlers = Object.entries(LETTERS).map(([type, write]): [string, EventHandler<Knex.Transaction>] => [
    type,
    (trx, event) => keepLetter(trx, event, write(event.payload)),
  ])
  return {
    routes,
    start() {
      const consumer = consumeEvents({ ...deps, context: CONTEXT, side: SIDE, handlers: Object.fromEntries(handlers) })
      const mailer = config.SMTP_URL ? createMailer(config.SMTP_URL) : undefined
      // Without a mail server letters wait, as events do without a broker.
      const sending =
        mailer && startPeriodic({ logger, what: 'sending mail', intervalMs: 200 }, () => sendDue(deps, mailer))
      return {
        async close() {
          await Promise.all([consumer.close(), sending?.close()])
          mailer?.close()
        },
      }
    },
  }
}

/**
 * A batch passes the gate as one step: it is short, and after a hold no letter is left half sent. Letters to one person
 * go one after the other, so that nobody reads of a cancellation before the order; when one is refused, the rest of
 * them wait as well, which also keeps the batch within its lease.
 */
const sendDue = async ({ config, db, gate, logger }: NotificationsDeps, mailer: Mailer): Promise<void> => {
  const send = async (letter: NotificationRow): Promise<boolean> => {
    try {
      await failPoint('mailer.before-send')
      await mailer.send(letter)
    } catch (error) {
      logger.warn({ err: error, eventId: letter.event_id }, 'mail not sent; trying again')
      return false
    }
    await failPoint('mailer.after-send')
    await markSent(db, letter.id)
    return true
  }
  await gate.pass([CONTEXT], async () => {
    const letters = (await claimLetters(db, BATCH, config.MAIL_LEASE_MS)).sort((a, b) => a.id - b.id)
    const piles = Map.groupBy(letters, (letter) => letter.recipient)
    await Promise.all(
      [...piles.values()].map(async (pile) => {
        let taken = true
        for (const letter of pile) {
          taken &&= await send(letter)
          if (!taken) await markUnsent(db, letter)
        }
      }),
    )
  })
}
