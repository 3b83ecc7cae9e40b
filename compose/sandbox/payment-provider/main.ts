// A payment provider to practise on: an own process with an own durable ledger.
// Environment: HOST, PORT, PAYMENT_PROVIDER_KEY (Bearer token), LEDGER_FILE, LATE_MS.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { announce, endWithStarter, whole } from '../process.ts'
import { createPaymentProvider } from './app.ts'
import { openLedger } from './ledger.ts'

const apiKey = process.env.PAYMENT_PROVIDER_KEY
if (!apiKey) throw new Error('PAYMENT_PROVIDER_KEY is missing: the key that callers send as a Bearer token')

const host = process.env.HOST ?? '127.0.0.1'
const ledger = await openLedger(process.env.LEDGER_FILE ?? '.banyan/payment-ledger.jsonl')
const server = createServer(createPaymentProvider({ ledger, apiKey, lateMs: whole('LATE_MS', 3_000) }))
server.keepAliveTimeout = 65_000
server.listen(whole('PORT', 4001), host, () => {
  announce('payment-provider', `http://${host}:${(server.address() as AddressInfo).port}`)
})
endWithStarter(async () => {
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
  await ledger.close()
})
