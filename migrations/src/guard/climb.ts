import { both, type Decision, decide, quantile, total, type Watched, type Window } from './decide.ts'
import { between, type Reading } from './reads.ts'

export type Climb = {
  /** Shares in percent, rising. */
  shares: readonly number[]
  intervalMs: number
  samples: number
  /** What the proxies have counted up to now. */
  read(): Promise<Reading>
  setShare(percent: number): Promise<void>
  /**
   * Looks whether the share is still the one that was set, and the context where reads can be shifted. Says what cannot
   * be known just now; null when all is as it was.
   * @throws Error when somebody else has changed either: then it is theirs
   */
  stillOurs(percent: number): Promise<string | null>
  sleep(ms: number): Promise<void>
  say(progress: Progress): void
}

export type Progress = { share: number; intervals: number; decision: Decision; window: Window }

export type Ended = { kind: 'top'; share: number } | { kind: 'back'; share: number; because: string }

/**
 * Raises the share step by step, each time that the watch allows it, until the last share has been watched or the reads
 * have to go back. At 100 % the monolith has no reads: what it had at the step before is held against the service then.
 */
export async function climb(options: Climb): Promise<Ended> {
  const { shares, intervalMs, samples, read, say } = options
  let earlier: Window['monolith'] | null = null
  let best = PRESUMED
  let start = await read()
  await options.setShare(shares[0]!)
  for (const [at, share] of shares.entries()) {
    let last = start
    for (let intervals = 1; ; intervals++) {
      await options.sleep(intervalMs)
      const unsure = await options.stillOurs(share)
      const now = await read().catch((error: Error) => error)
      if (now instanceof Error) {
        const because = `the proxies cannot be read: ${now.message}`
        say({ share, intervals, decision: { kind: 'pause', because }, window: between(last, last) })
        continue
      }
      const [step, interval] = [between(start, now), between(last, now)]
      const watched: Watched = { step, interval, intervals, samples, expected: (best * share) / 100 }
      if (both(interval) >= samples) best = Math.max(best, Math.min(partOf(interval) / (share / 100), 1))
      last = now
      // The last reads of users whom the share had not reached yet, and of those who have just written, are no measure.
      let decision = decide(share === 100 && earlier ? { ...watched, earlier } : watched)
      if (decision.kind === 'promote') decision = await promote(shares[at + 1], unsure, options)
      say({ share, intervals, decision, window: watched.step })
      if (decision.kind === 'back') return { kind: 'back', share, because: decision.because }
      if (decision.kind !== 'promote') continue
      earlier = watched.step.monolith
      start = now
      break
    }
  }
  return { kind: 'top', share: shares.at(-1)! }
}

/**
 * Of the share that is set, the part that the service has at least while all is well. Not the whole of it: who has just
 * written reads from the owner, and a few users may be the most of all.
 */
const PRESUMED = 0.5

const partOf = (window: Window) => total(window.service) / both(window)

/** Sets the next share, if there is one. Whatever fails, the present one is watched on: nobody may be left alone with it. */
async function promote(next: number | undefined, unsure: string | null, options: Climb): Promise<Decision> {
  if (unsure !== null) return { kind: 'pause', because: unsure }
  try {
    if (next !== undefined) await options.setShare(next)
    return { kind: 'promote' }
  } catch (error) {
    return { kind: 'pause', because: `the share cannot be set to ${next} %: ${(error as Error).message}` }
  }
}

/** A line about how it stands. */
export function lineOf({ share, decision, window }: Progress): string {
  const sides = (['service', 'monolith'] as const).map((side) => {
    const reads = window[side]
    const p99 = quantile(reads, 0.99)
    const slow =
      p99 === null ? '' : `, p99 ${Number.isFinite(p99) ? `≤ ${Math.round(p99 * 1000)} ms` : 'beyond every bound'}`
    return `${side} ${total(reads)} reads, ${reads.failed} failed${slow}`
  })
  const why = 'because' in decision ? `: ${decision.because}` : ''
  return `${share} %  ${sides.join('; ')}  → ${decision.kind}${why}`
}
