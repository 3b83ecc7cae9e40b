import { setTimeout as sleep } from 'node:timers/promises'
import { isFailure, type Measure } from '../shoppers/measure.ts'

/**
 * Waits for the first request of a shopper that the shop answers, and not with a failure.
 * @param since when the command was given, in milliseconds since 1970
 * @returns milliseconds from then to the answer; nothing where none came within `withinMs`
 */
export async function untilTrafficFlows(
  measure: Pick<Measure, 'listen'>,
  since: number,
  withinMs: number,
): Promise<number | undefined> {
  const over = new AbortController()
  const first = Promise.withResolvers<number>()
  const quiet = measure.listen((seen) => {
    if (!isFailure(seen)) first.resolve(Date.now() - since)
  })
  const late = sleep(withinMs, undefined, { signal: over.signal }).catch(() => undefined)
  const ms = await Promise.race([first.promise, late])
  quiet()
  over.abort()
  return ms
}
