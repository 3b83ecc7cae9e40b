import { z } from 'zod'
import { BALANCE, type BalanceSettings } from '../balance/settings.ts'
import { duration } from './schema-duration.ts'

const path = z.string().regex(/^\/\S*$/, 'must be a path such as /health/ready')
const times = z.number().int().min(1).max(100)
const percent = z
  .string()
  .regex(/^([1-9]\d?|100)%$/, 'must be from 1% to 100%')
  .transform((text) => Number.parseInt(text, 10) / 100)

/** How instances are looked after, as it is written. */
export const balanceSchema = z
  .strictObject({
    health: z
      .strictObject({
        monolith: path.optional(),
        services: path.optional(),
        interval: duration.optional(),
        timeout: duration.optional(),
        failures: times.optional(),
        passes: times.optional(),
      })
      .prefault({}),
    ejection: z
      .strictObject({ failures: times.optional(), for: duration.optional(), share: percent.optional() })
      .prefault({}),
    'slow-start': duration.optional(),
  })
  .transform(({ health, ejection, 'slow-start': slowStartMs }): BalanceSettings => {
    const { monolith = null, services = null, failures, passes, interval, timeout } = health
    const of = BALANCE.health
    return {
      health: {
        monolith,
        services,
        intervalMs: interval ?? of.intervalMs,
        timeoutMs: timeout ?? of.timeoutMs,
        failures: failures ?? of.failures,
        passes: passes ?? of.passes,
      },
      ejection: {
        failures: ejection.failures ?? BALANCE.ejection.failures,
        forMs: ejection.for ?? BALANCE.ejection.forMs,
        share: ejection.share ?? BALANCE.ejection.share,
      },
      slowStartMs: slowStartMs ?? BALANCE.slowStartMs,
    }
  })
