import { createTransport } from 'nodemailer'
import type { NotificationRow } from './store.ts'

export type Mailer = {
  /** Rejects unless the server has taken the message. */
  send(letter: NotificationRow): Promise<void>
  close(): void
}

/** The Message-ID follows from the event: a mailbox recognises what had to be sent twice. */
export const messageId = (eventId: string): string => `<${eventId}@banyan-shop>`

/** @param smtpUrl e.g. `smtp://127.0.0.1:4025` */
export const createMailer = (smtpUrl: string): Mailer => {
  const options = {
    pool: true,
    // Letters go one by one, see sendDue.
    maxConnections: 1,
    connectionTimeout: 2_000,
    greetingTimeout: 2_000,
    // A server that has taken a letter and is slow to say so would get it again: it is given what a lease leaves (RFC
    // 5321 §4.5.3.2.6 asks for minutes).
    socketTimeout: 30_000,
  }
  const transport = createTransport({ url: smtpUrl, ...options })
  return {
    async send({ event_id, recipient, subject, body }) {
      await transport.sendMail({
        from: 'Banyan Shop <orders@banyan-shop.example>',
        to: recipient,
        subject,
        text: body,
        messageId: messageId(event_id),
        headers: { 'X-Event-Id': event_id },
      })
    },
    close: () => transport.close(),
  }
}
