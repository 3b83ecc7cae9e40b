import knex, { type Knex } from 'knex'
import { startTestService, type TestService } from '../../../../kit/service/testing/test-service.ts'
import type { PrivateKey } from '../../../../tests/support/keys.ts'
import { configSchema, startPaymentService } from '../service.ts'

/**
 * Starts the service in this process on a database of its own.
 * @param options.callerKey the key the monolith signs with; a new one unless given
 * @param options.env variables that differ, such as where the provider is
 */
export const startTestPayments = (
  options: { callerKey?: PrivateKey; env?: Record<string, string> } = {},
): Promise<TestService<Knex>> =>
  startTestService<typeof configSchema, Knex>({
    name: 'payment-service',
    database: 'payments',
    context: 'payments',
    schema: configSchema,
    start: startPaymentService,
    connect: knex,
    ...options,
  })
