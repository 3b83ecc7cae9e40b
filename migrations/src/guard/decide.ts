import { fisher } from '@banyan/kit/parity/answers'

/** Reads that a side was sent in a time, as the proxies measured them. */
export type Reads = {
  /** Answered, with a status below 500. */
  answered: number
  failed: number
  /** Of those answered, how many within so many seconds; bounds as the proxies have them. */
  within: ReadonlyMap<number, number>
}

/** Both sides over the same time. */
export type Window = { monolith: Reads; service: Reads }

export type Decision =
  | { kind: 'promote' }
  /** Nothing speaks against it; the step has not been watched long enough. */
  | { kind: 'continue' }
  /** Too little is known to go on, and nothing says that it must go back. */
  | { kind: 'pause'; because: string }
  | { kind: 'back'; because: string }

export type Watched = {
  /** Since this share was set. */
  step: Window
  /** The latest interval of it: a service that breaks late must not hide behind what it did before. */
  interval: Window
  intervals: number
  /** Reads that each side must have had in the step before it counts as watched. */
  samples: number
  /** The part of all reads that the service would have, were it there as it was at its best; of 1. */
  expected?: number
  /** What the monolith had at the share before, where it has too few of its own to hold the service against. */
  earlier?: Reads
}

/** Intervals that a share is watched at least. */
export const INTERVALS = 2
/** Reads of the service below which nothing is called worse: one failure out of one says nothing. */
const TELLING = 20
/** The chance of such counts, were the service no worse, below which it is called worse. */
const SIGNIFICANT = 0.001
/** Below this part of its share of the reads the service is not being watched as it was. */
const SUNK = 0.5
/** What a part is held against that is known, and not counted: as exactly as so many reads would tell it. */
const EXACT = 1_000_000
/** A share of failures so much greater is let pass, however surely it is greater. */
const TOLERATED = 0.005
/** Above this share of failures nobody goes on, though the monolith fail as often. */
const FAILING = 0.05
const SLOWEST = 0.01

/**
 * What follows from what was watched. Pure.
 *
 * Worse is, over the same time as the monolith and by Fisher's exact test (one-sided, p < 0.001), a greater share of
 * failed reads, or a greater share of slow ones: slow is slower than the bound after the one within which 99 % of the
 * monolith's answers came, one and a half times that, and more than 1 % of the service's have to be. An exact test
 * holds for few reads as well, where comparing two percentiles would be guessing.
 */
export function decide({ step, interval, intervals, samples, earlier, expected }: Watched): Decision {
  for (const [window, time] of [
    [interval, 'in the last interval'],
    [step, 'since this share was set'],
  ] as const) {
    const why = worse(earlier ? { ...window, monolith: earlier } : window)
    if (why !== null) return { kind: 'back', because: `${why} ${time}` }
  }
  const [monolith, service] = [total(earlier ?? step.monolith), total(step.service)]
  if (service < samples) return { kind: 'pause', because: `the service has had ${service} of ${samples} reads` }
  if (monolith < samples) return { kind: 'pause', because: `the monolith has had ${monolith} of ${samples} reads` }
  // An instance that says it is not ready is sent nothing, and what is sent nothing does not fail.
  if (total(interval.service) === 0)
    return { kind: 'pause', because: 'the service has had no read in the last interval' }
  const sunkTo = expected === undefined ? null : sunk(interval, expected)
  if (sunkTo !== null) return { kind: 'pause', because: sunkTo }
  if (step.service.failed / service > FAILING)
    return {
      kind: 'pause',
      because: `both sides fail: the service ${percent(step.service.failed, service)} of its reads`,
    }
  return intervals < INTERVALS ? { kind: 'continue' } : { kind: 'promote' }
}

/**
 * Whether the service answered a smaller part of the reads in the last interval than it would, as a sentence with its
 * figures: while no instance of it is up they go to the monolith, and what the others answer is not the whole of it.
 */
function sunk(interval: Window, expected: number): string | null {
  const [now, all] = [total(interval.service), both(interval)]
  if (all === 0 || now / all >= SUNK * expected) return null
  if (fisher(all - now, all, Math.round((1 - expected) * EXACT), EXACT) >= SIGNIFICANT) return null
  return `the service has had ${percent(now, all)} of the reads in the last interval, where ${percent(expected * EXACT, EXACT)} are its part`
}

/** In which way the service was worse than the monolith, as a sentence with its figures; null when it was not. */
export function worse({ monolith, service }: Window): string | null {
  const [asked, others] = [total(service), total(monolith)]
  if (asked < TELLING || others < TELLING) return null
  const more = service.failed / asked - monolith.failed / others
  if (more > TOLERATED && fisher(service.failed, asked, monolith.failed, others) < SIGNIFICANT)
    return `${percent(service.failed, asked)} of the service's ${asked} reads failed, and ${percent(monolith.failed, others)} of the monolith's ${others},`
  const bound = slowBound(monolith)
  if (bound === null || service.answered === 0) return null
  const [slow, slowOthers] = [service, monolith].map(
    (side) => side.answered - (side.within.get(bound) ?? side.answered),
  )
  if (slow! / service.answered <= SLOWEST) return null
  if (fisher(slow!, service.answered, slowOthers!, monolith.answered) >= SIGNIFICANT) return null
  return `${percent(slow!, service.answered)} of the service's answers took longer than ${Number((bound * 1000).toPrecision(3))} ms, and ${percent(slowOthers!, monolith.answered)} of the monolith's,`
}

/** The time within which a share of a side's answers came, as far as the bounds tell; null without answers. */
export function quantile({ answered, within }: Reads, share: number): number | null {
  if (answered === 0) return null
  return boundsOf(within).find((bound) => within.get(bound)! >= share * answered) ?? Number.POSITIVE_INFINITY
}

function slowBound(monolith: Reads): number | null {
  const p99 = quantile(monolith, 1 - SLOWEST)
  if (p99 === null) return null
  return boundsOf(monolith.within).find((bound) => bound > p99) ?? null
}

const boundsOf = (within: Reads['within']) => [...within.keys()].sort((a, b) => a - b)

export const both = ({ monolith, service }: Window): number => total(monolith) + total(service)

export const total = ({ answered, failed }: Reads): number => answered + failed

function percent(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1)} %`
}
