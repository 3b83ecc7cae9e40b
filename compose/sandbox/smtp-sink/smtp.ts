import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { SMTPServer } from 'smtp-server'
import { headersOf, type Mailbox } from './mailbox.ts'

/** Misbehaviour on request: how many of the next messages are refused for now (451), and how slow every answer is. */
export type Faults = { refuse: number; delayMs: number }

/** An SMTP server that accepts everything up to 256 KiB for anybody and delivers nothing. */
export const createSmtpSink = (mailbox: Mailbox, faults: Faults): SMTPServer =>
  new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    disableReverseLookup: true,
    size: 256 * 1024,
    logger: false,
    onData(stream, session, done) {
      const receive = async () => {
        const headers = headersOf(await text(stream))
        if (stream.sizeExceeded) throw refusal(552, 'message too large')
        if (faults.delayMs > 0) await sleep(faults.delayMs)
        if (faults.refuse > 0) {
          faults.refuse -= 1
          throw refusal(451, 'refused for now, as asked')
        }
        await mailbox.keep({
          at: new Date().toISOString(),
          messageId: headers.get('message-id') ?? '',
          eventId: headers.get('x-event-id') ?? null,
          from: session.envelope.mailFrom ? session.envelope.mailFrom.address : '',
          to: session.envelope.rcptTo.map((to) => to.address),
          subject: headers.get('subject') ?? '',
        })
      }
      receive().then(() => done(), done)
    },
  })

const refusal = (responseCode: number, text: string): Error => Object.assign(new Error(text), { responseCode })
