import type { Flags } from '@banyan/kit/flags'
import type { Logger } from '@banyan/kit/service'

const LOOK_MS = 250

/**
 * Looks at a flag of each context, one after the other and never twice at once, as long as Unleash's word is fresh. A
 * look that fails is logged, and made again a moment later.
 * @param what of the flags, for the log
 */
export function lookAtFlags(
  flags: Pick<Flags, 'freshness'>,
  contexts: readonly string[],
  what: string,
  look: (context: string) => Promise<void>,
  logger: Logger,
): { close(): Promise<void> } {
  let closed = false
  let round = Promise.resolve()
  const timer = setInterval(() => {
    if (!flags.freshness().ok) return
    round = round.then(async () => {
      for (const context of closed ? [] : contexts)
        await look(context).catch((err) => logger.warn({ err, context }, `a ${what} flag could not be followed`))
    })
  }, LOOK_MS)
  return {
    async close() {
      closed = true
      clearInterval(timer)
      await round
    },
  }
}
