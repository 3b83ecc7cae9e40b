/** What asks a process to stop: a signal, or the end of the parent that holds its standard input. */
import type { Logger } from './logger.ts'

/**
 * Stops on SIGTERM and SIGINT, once; a repeated signal changes nothing, because stopping is bounded anyway.
 * @param stop Called with the signal's name.
 * @returns Takes the handlers away.
 */
export function onSignals(stop: (reason: string) => void): () => void {
  const handlers = (['SIGTERM', 'SIGINT'] as const).map((signal) => {
    const handler = () => stop(signal)
    process.on(signal, handler)
    return () => process.off(signal, handler)
  })
  return () => {
    for (const remove of handlers) remove()
  }
}

/**
 * Stops when standard input ends: a parent that is killed by SIGKILL can tell nobody, but its pipe closes.
 * @param lifeline `'stdin'` from the configuration (BANYAN_LIFELINE); anything else does nothing.
 * @returns Takes the watch away, so that standard input no longer keeps the process up.
 */
export function endWithParent(lifeline: 'stdin' | undefined, stop: (reason: string) => void): () => void {
  if (lifeline !== 'stdin') return () => undefined
  const ended = () => stop('the parent ended')
  const events = ['end', 'close', 'error'] as const
  for (const event of events) process.stdin.on(event, ended)
  process.stdin.resume()
  return () => {
    for (const event of events) process.stdin.off(event, ended)
    process.stdin.pause()
    process.stdin.unref?.()
  }
}

/**
 * Closes things one after the other, in order, all within one bound; a failing one does not keep the next from closing.
 * @param close Functions that close something, the first one first.
 * @param boundMs Milliseconds for all of them together.
 * @returns Whether all closed in time and without an error.
 */
export async function closeAll(
  close: readonly (() => Promise<unknown> | unknown)[],
  boundMs: number,
  logger: Logger,
): Promise<boolean> {
  const end = performance.now() + boundMs
  let clean = true
  for (const [index, one] of close.entries()) {
    try {
      await within(Promise.resolve().then(one), Math.max(end - performance.now(), 1))
    } catch (err) {
      clean = false
      logger.error({ err, index }, 'closing failed')
    }
  }
  return clean
}

async function within(work: Promise<unknown>, ms: number): Promise<void> {
  const bound = Promise.withResolvers<never>()
  const timer = setTimeout(() => bound.reject(new Error(`did not close within ${Math.round(ms)} ms`)), ms)
  try {
    await Promise.race([work, bound.promise])
  } finally {
    clearTimeout(timer)
  }
}
