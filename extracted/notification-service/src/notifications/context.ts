import type { Broker } from '@banyan/kit/broker'
import { consumeEvents, continueTrace, type EventHandler, heardBy } from '@banyan/kit/inbox'
import type { WorkGate } from '@banyan/kit/ownership'
import {
  type Context,
  failPoint,
  isRefused,
  type Logger,
  pageQuery,
  persistently,
  requireUser,
  startPeriodic,
} from '@banyan/kit/service'
import { Router } from 'express'
import type { Knex } from 'knex'
import { LETTERS } from './letters.ts'
import { createMailer, type Mailer } from './mailer.ts'
import type { NotificationsSettings } from './settings.ts'
import { CONTEXT, SIDE } from './side.ts'
import { claimLetter, keepLetter, listNotifications, markSent, markUnsent, toNotification } from './store.ts'

/** So that closing waits for one round, however many letters come. */
const MOST_A_ROUND = 20
const NOTE_AGAIN_MS = 250

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

  const handlers = Object.fromEntries(
    Object.entries(LETTERS).map(([type, write]): [string, EventHandler<Knex.Transaction>] => [
      type,
      (trx, event) => keepLetter(trx, event, write(event.payload)),
    ]),
  )
  return {
    routes,
    hears: heardBy(CONTEXT, handlers),
    start() {
      const consumer = consumeEvents({ ...deps, context: CONTEXT, side: SIDE, handlers })
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
 * One letter after the other: a kill inside a send may repeat the letter that was being sent, and no other. What is
 * refused is tried again later; the round ends with it, so that a mail server in trouble is left alone for a moment.
 */
const sendDue = async (deps: NotificationsDeps, mailer: Mailer): Promise<void> => {
  for (let sent = 0; sent < MOST_A_ROUND; sent += 1)
    if ((await deps.gate.pass([CONTEXT], () => sendNext(deps, mailer))) !== 'sent') return
}

/** Passes the gate as one step: it is short, and after a hold no letter is left half sent. */
const sendNext = async (
  { config, db, logger }: NotificationsDeps,
  mailer: Mailer,
): Promise<'sent' | 'none' | 'not'> => {
  // A note that was lost would have whoever takes the letter after its lease send it again: it is tried until then.
  const leaseEnds = performance.now() + config.MAIL_LEASE_MS
  const pauseAfter = (error: unknown) =>
    isRefused(error) || performance.now() + NOTE_AGAIN_MS >= leaseEnds ? null : NOTE_AGAIN_MS
  const letter = await claimLetter(db, config.MAIL_LEASE_MS)
  if (!letter) return 'none'
  try {
    await failPoint('mailer.before-send')
    const event = { id: letter.event_id, consumer: `banyan.${CONTEXT}` }
    await continueTrace(db, event, 'send e-mail', { kind: 'client' }, () => mailer.send(letter))
  } catch (error) {
    logger.warn({ err: error, eventId: letter.event_id }, 'mail not sent; trying again')
    await persistently(() => markUnsent(db, letter), pauseAfter)
    return 'not'
  }
  await failPoint('mailer.after-send')
  await persistently(() => markSent(db, letter.id), pauseAfter)
  return 'sent'
}
