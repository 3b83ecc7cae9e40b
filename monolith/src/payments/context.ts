import type { WorkGate } from '@banyan/kit/ownership'
import { type Context, createCaller, type Logger, problem, startPeriodic } from '@banyan/kit/service'
import { Router } from 'express'
import type { Knex } from 'knex'
import { createLocalPayments } from './charges.ts'
import { paymentsInternalRoutes } from './internal-routes.ts'
import type { PaymentsPort } from './port.ts'
import { createPaymentProvider, type PaymentProvider } from './provider.ts'
import { settlePendingRefunds } from './refunds.ts'
import { paymentsRoutes } from './routes.ts'
import type { PaymentsSettings } from './settings.ts'
import { CONTEXT } from './side.ts'

/** A card is charged, or not, within this; a later answer is asked for again under the same key. Milliseconds. */
const PROVIDER_DEADLINE_MS = 1_000

/** The payments context: its routes, the worker that settles refunds, and the charges as far as this side owns them. */
export const paymentsContext = (deps: {
  config: PaymentsSettings
  db: Knex
  logger: Logger
  gate: WorkGate
}): Context & { charges: PaymentsPort } => {
  const { db, gate, logger } = deps
  const { provider, close } = connectProvider(deps)
  const charges = createLocalPayments(db, provider)
  const routes = Router()
  routes.use(paymentsRoutes({ db, provider }))
  routes.use(paymentsInternalRoutes({ charges }))
  return {
    charges,
    routes,
    start() {
      const settling = startPeriodic({ logger, what: 'settling refunds', intervalMs: 2_000 }, () =>
        settlePendingRefunds(db, provider, { pass: (step) => gate.pass([CONTEXT], step) }),
      )
      return {
        async close() {
          await settling.close()
          await close()
        },
      }
    },
  }
}

const connectProvider = ({ config, logger }: { config: PaymentsSettings; logger: Logger }) => {
  const { PAYMENT_PROVIDER_URL: baseUrl, PAYMENT_PROVIDER_KEY: key } = config
  if (!baseUrl) return { provider: createPaymentProvider(notConfigured), close: async () => undefined }
  const caller = createCaller({ baseUrl, name: 'payment-provider', deadlineMs: PROVIDER_DEADLINE_MS, logger })
  const provider: PaymentProvider = createPaymentProvider((call) =>
    caller.call({ ...call, headers: { authorization: `Bearer ${key ?? ''}` } }),
  )
  return { provider, close: () => caller.close() }
}

const notConfigured = async (): Promise<never> => {
  throw problem(503, 'payments-unavailable', 'this shop has no payment provider: set PAYMENT_PROVIDER_URL')
}
