import type { Stack } from '../embedded/stack.ts'
import { servicesOf } from '../provision/services.ts'
import type { Places } from './held.ts'

/** Where the ledger of a stack reads. */
export function placesOf({ databases, facts, env }: Stack): Places {
  const services = servicesOf(facts.stage)
  return {
    shopUrl: databases.side('shop').owner,
    serviceUrls: Object.fromEntries(services.map((row) => [row.context, databases.side(row.database).owner])),
    paymentsUrl: env.PAYMENTS_URL ?? '',
    paymentsKey: facts.keys.paymentProviderKey,
    mailUrl: env.MAIL_URL ?? '',
  }
}
