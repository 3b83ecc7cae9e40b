import type { ParityRun } from '../control/parity-runs.ts'
import type { Direction, Phase, Side } from '../control/stored.ts'
import type { Interlock } from './seen.ts'

/** Which builds of a process announce themselves; null for one that does not say. */
type Running = { name: string; builds: readonly (string | null)[] }

export type ParityFacts = {
  context: string
  /** Why someone wants the switch without a parity run. */
  without: string | null
  processes: Readonly<Record<Side, Running>>
  /** The last run of the builds that run now, and the last of any. */
  run: ParityRun | null
  other: ParityRun | null
}

/** What a switch or rollback depends on, gathered by gather-facts.ts. */
export type Facts = {
  direction: Direction
  verification: { clean: boolean; agoMs: number; voidedBy: string | null } | null
  /** Asked of a switch alone. */
  parity: ParityFacts | null
  lagMs: number | null
  /** How long ago the lane that the lag is of applied something, by the mover's clock; null when it never did. */
  appliedAgoMs: number | null
  blocked: string | null
  /** Per side, what differs from the schema that was prepared, and what is wrong with the capture. */
  drift: readonly string[]
  capture: readonly string[]
  lapsed: readonly string[]
  canaryAgoMs: number | null
  vacuums: readonly string[]
  /** Contexts this one depends on, and contexts that depend on it, with their phases. */
  dependsOn: readonly { context: string; phase: Phase }[]
  dependents: readonly { context: string; phase: Phase }[]
}

const VERIFIED_WITHIN_MS = 15 * 60_000
const PARITY_WITHIN_MS = 24 * 3_600_000
const MOST_LAG_MS = 1_000
const CANARY_WITHIN_MS = 30_000
/** A lane that moves applies a heartbeat four times a second; one that has applied nothing for so long stands. */
const APPLYING_WITHIN_MS = 2_000
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

/** Everything that stands in the way of a switch or rollback, each with what it waits for. Pure. */
export function interlocks(facts: Facts): Interlock[] {
  const held: Interlock[] = []
  const hold = (waitsFor: string, passing = false, catchingUp = false) =>
    held.push({ waitsFor, passing, ...(catchingUp ? { catchingUp } : {}) })
  if (facts.direction === 'to-service') forwardOnly(facts, hold)
  held.push(...neighbourLocks(facts))
  if (facts.blocked)
    hold(`a blocked change: ${facts.blocked}; mend the row's obstacle, the lane then goes on by itself`)
  for (const line of facts.drift) hold(`the schema as it was prepared: ${line}; banyan unprepare and prepare again`)
  for (const line of facts.capture) hold(`the capture to be whole: ${line}; banyan unprepare and prepare again`)
  if (facts.lagMs === null || facts.lagMs > MOST_LAG_MS) holdForLag(facts, hold)
  for (const id of facts.lapsed) hold(`the lease of ${id}, which has ended: it is renewed, or removed 3 s later`, true)
  if (facts.canaryAgoMs === null || facts.canaryAgoMs > CANARY_WITHIN_MS)
    hold('a canary row to come back on the reverse path', true)
  for (const table of facts.vacuums) hold(`the vacuum of ${table} to end`, true)
  return held
}

/**
 * What the contexts that this one depends on, or that depend on it, stand in the way of. Asked once more in the
 * transaction that begins an attempt: of two neighbours that are asked to move apart at once, both would find the other
 * at rest. Pure.
 */
export function neighbourLocks({
  direction,
  dependsOn,
  dependents,
}: Pick<Facts, 'direction' | 'dependsOn' | 'dependents'>): Interlock[] {
  if (direction === 'to-service')
    return dependsOn
      .filter(({ phase }) => !hasMoved(phase))
      .map(({ context, phase }) => ({
        waitsFor: `${context} to move first: the plan depends on it, and it is ${phase}`,
        passing: false,
      }))
  return dependents.flatMap(({ context, phase }) => {
    if (hasMoved(phase))
      return {
        waitsFor: `${context} moved later and depends on this context: roll ${context} back first`,
        passing: false,
      }
    if (phase !== 'switching' && phase !== 'aborting') return []
    return {
      waitsFor: `${context}, which depends on this context, to end what it is at: it is ${phase}`,
      passing: true,
    }
  })
}

/** A mover that has been away finds all that was written since in front of its first heartbeat. */
function holdForLag(facts: Facts, hold: (waitsFor: string, passing: boolean, catchingUp: boolean) => void): void {
  const { lagMs, appliedAgoMs } = facts
  const catchingUp = appliedAgoMs !== null && appliedAgoMs < APPLYING_WITHIN_MS
  const lag = lagMs === null ? 'no heartbeat has come through yet' : `it is ${seconds(lagMs)}`
  hold(`the lag to be at most 1 s: ${lag}${catchingUp ? ', and changes are being applied' : ''}`, true, catchingUp)
}

function forwardOnly(facts: Facts, hold: (waitsFor: string, passing?: boolean) => void): void {
  const { verification } = facts
  if (!verification) hold('a clean verification: banyan verify')
  else if (verification.voidedBy) hold(`a new verification, since ${verification.voidedBy}: banyan verify`)
  else if (!verification.clean) hold('a clean verification; the last one found differences: banyan repair, then verify')
  else if (verification.agoMs > VERIFIED_WITHIN_MS)
    hold(
      `a clean verification of the last 15 minutes; the last is ${Math.round(verification.agoMs / 60_000)} minutes old: banyan verify`,
    )
  if (facts.parity && facts.parity.without === null) parity(facts.parity, hold)
}

/** Both sides have been shown to behave alike, in the very builds that run. */
function parity(facts: ParityFacts, hold: (waitsFor: string, passing?: boolean) => void): void {
  const { context, processes, run, other } = facts
  const sides = [processes.monolith, processes.service]
  const silent = sides.filter(({ builds }) => builds.length === 0 || builds.includes(null))
  const mixed = sides.filter((side) => side.builds.length > 1 && !silent.includes(side))
  const again = `banyan parity ${context} --record, or banyan switch ${context} --without-parity "<reason>"`
  for (const { name } of silent) hold(`${name} to announce its build, of which parity can be shown`, true)
  for (const { name, builds } of mixed) hold(`one build of ${name} alone to run; there are ${builds.join(', ')}`, true)
  if (silent.length + mixed.length > 0) return
  const now = sides.map(({ builds }) => builds[0]).join(' and ')
  if (!run && other)
    hold(
      `a parity run of what runs now, ${now}; the last compared ${other.monolithBuild} and ${other.serviceBuild}: ${again}`,
    )
  else if (!run) hold(`a passing parity run of ${now}: ${again}`)
  else if (run.verdict !== 'alike') hold(`a passing parity run; the last of these builds was ${run.verdict}: ${again}`)
  else if (run.agoMs > PARITY_WITHIN_MS)
    hold(`a parity run of the last 24 hours; the last is ${Math.round(run.agoMs / 3_600_000)} hours old: ${again}`)
}

const hasMoved = (phase: Phase) => phase === 'switched' || phase === 'completed'
