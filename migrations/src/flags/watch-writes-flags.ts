import type { Flags } from '@banyan/kit/flags'
import type { Logger } from '@banyan/kit/service'
import type { Pool } from 'pg'
import { readContext } from '../control/contexts.ts'
import { askAbort, askFor, openIntent, withdrawFlagIntent } from '../control/intents.ts'
import { inTransaction } from '../control/transaction.ts'
import { type Known, readFlip } from './flip.ts'
import { lookAtFlags } from './look-at-flags.ts'

/** Longer than what the mover set itself needs to come back through Unleash's poll and this process's own. */
const ECHO_MS = 5_000

export type WritesFlagsWatch = {
  /**
   * Announces that the mover itself sets a context's flag. Without it the flag's echo, seen while the next switch or
   * rollback has begun, would be taken for somebody's flip back and call that off.
   * @param set resolves when Unleash has taken it; rejects when it has not, or may not have
   */
  setting(context: string, share: 0 | 100, set: Promise<void>): void
  close(): Promise<void>
}

/**
 * Turns an observed flip of `<context>-writes` into an intent, unless the flag merely says what is true already. A
 * flip back calls off the switch it asked for, whether that is under way or still waits for its turn.
 * @param options.echoMs how long the mover's own setting may take to be seen here; later sights are somebody else's
 */
export function watchWritesFlags(
  flags: Pick<Flags, 'share' | 'freshness'>,
  contexts: readonly string[],
  control: Pool,
  logger: Logger,
  { echoMs = ECHO_MS }: { echoMs?: number } = {},
): WritesFlagsWatch {
  const known = new Map<string, Known>()
  const echoes = new Map<string, { share: 0 | 100; until: number; ofAnother?: true }>()
  const look = async (context: string): Promise<void> => {
    const share = flags.share(`${context}-writes`)
    const late = known.has(context) || echoes.has(context) ? null : await lateEcho(control, context, share)
    if (late !== null) echoes.set(context, { share: late, until: performance.now() + echoMs, ofAnother: true })
    const echo = echoes.get(context)
    if (echo) {
      if (share !== echo.share && performance.now() < echo.until) return
      echoes.delete(context)
      if (!echo.ofAnother || share === echo.share) known.set(context, echo.share)
    }
    const flip = readFlip(known.get(context) ?? null, share)
    const stored = flip.wish && (await readContext(control, context))
    // A control database that was away, or another intent that is open, must not swallow the wish.
    if (flip.wish && stored && !(await ask(control, context, flip.wish, stored))) return
    known.set(context, flip.known)
  }
  const looks = lookAtFlags(flags, contexts, 'writes', look, logger)
  return {
    setting(context, share, set) {
      const echo = { share, until: performance.now() + echoMs }
      echoes.set(context, echo)
      // Whatever the flag says after a setting that may have failed is no wish: as at the start, it is only shown.
      set.catch(() => {
        if (echoes.get(context) !== echo) return
        echoes.delete(context)
        known.delete(context)
      })
    },
    close: looks.close,
  }
}

/**
 * At the first look: the share that a mover before this one may have set a moment ago, where Unleash still tells another.
 * Its coming would look like somebody's flip, against whatever has begun since. What the flag itself has asked for is
 * no such thing.
 */
async function lateEcho(control: Pool, context: string, share: number | null): Promise<0 | 100 | null> {
  const stored = await readContext(control, context)
  if (!stored) return null
  const settled = stored.owner === 'service' ? 100 : 0
  if (share === settled || (share !== 0 && share !== 100)) return null
  return (await openIntent(control, context))?.source === 'flag' ? null : settled
}

/** Says whether the wish was taken, or is true already; otherwise it is to be asked again. */
async function ask(
  control: Pool,
  context: string,
  wish: 'switch' | 'rollback',
  stored: { owner: 'monolith' | 'service'; phase: string; direction: string | null },
): Promise<boolean> {
  const wanted = wish === 'switch' ? 'service' : 'monolith'
  const underWay = stored.phase === 'switching' ? (stored.direction === 'to-service' ? 'service' : 'monolith') : null
  const flag = `${context}-writes`
  const back = `the flag ${flag} was flipped back`
  if (underWay === wanted) return true
  if (underWay !== null) return (await askAbort(control, context, back)) !== null
  if (stored.owner === wanted) {
    // So it is already; but what the flag had asked for before may still wait for its turn.
    const former = wish === 'switch' ? 'rollback' : 'switch'
    await inTransaction(control, (db) => withdrawFlagIntent(db, context, former, back))
    return true
  }
  const why = `the flag ${flag} was flipped`
  return (await askFor(control, { context, verb: wish, source: 'flag', who: 'unleash', why })) !== null
}
