// An SMTP server that keeps messages instead of delivering them.
// Environment: HOST, PORT (HTTP), SMTP_PORT, MAILBOX_FILE.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { announce, endWithStarter, whole } from '../process.ts'
import { createSinkApp } from './app.ts'
import { openMailbox } from './mailbox.ts'
import { createSmtpSink } from './smtp.ts'

const host = process.env.HOST ?? '127.0.0.1'
const mailbox = await openMailbox(process.env.MAILBOX_FILE ?? '.banyan/mailbox.jsonl')
const faults = { refuse: 0, delayMs: 0 }
const smtp = createSmtpSink(mailbox, faults)
// A client that breaks off is its own problem: without a listener it would end this process.
smtp.on('error', (error) => process.stderr.write(`smtp-sink: ${error.message}\n`))
const http = createServer(createSinkApp(mailbox, faults))
const mail = smtp.listen(whole('SMTP_PORT', 4025), host, () => {
  http.listen(whole('PORT', 4002), host, () => {
    announce('smtp-sink', `http://${host}:${(http.address() as AddressInfo).port}`, {
      smtpUrl: `smtp://${host}:${(mail.address() as AddressInfo).port}`,
    })
  })
})
endWithStarter(async () => {
  http.closeAllConnections()
  await new Promise((done) => http.close(done))
  await new Promise<void>((done) => smtp.close(done))
  await mailbox.close()
})
