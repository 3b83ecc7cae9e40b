import type { Running } from './context.ts'
import type { Logger } from './logger.ts'

/**
 * Runs work again and again, `intervalMs` after it last ended; a failure is logged and the next round comes all the
 * same. Closing waits for the round in hand.
 */
export const startPeriodic = (
  { logger, what, intervalMs }: { logger: Logger; what: string; intervalMs: number },
  work: () => Promise<unknown>,
): Running => {
  let closed = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  const round = async () => {
    await work().catch((error) => logger.warn({ err: error }, `${what} failed; trying again`))
    if (!closed) schedule()
  }
  const schedule = () => {
    timer = setTimeout(() => {
      running = round()
    }, intervalMs)
  }
  schedule()
  return {
    async close() {
      closed = true
      clearTimeout(timer)
      await running
    },
  }
}
