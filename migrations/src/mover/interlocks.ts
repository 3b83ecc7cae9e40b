import type { Direction, Phase } from '../control/stored.ts'
import type { Interlock } from './seen.ts'

/** What a switch or rollback depends on, gathered by gather-facts.ts. */
export type Facts = {
  direction: Direction
  verification: { clean: boolean; agoMs: number; voidedBy: string | null } | null
  lagMs: number | null
  blocked: string | null
  /** Per side, what differs from the schema that was prepared, and what is wrong with the capture. */
  drift: readonly string[]
  capture: readonly string[]
  lapsed: readonly string[]
  canaryAgoMs: number | null
  vacuums: readonly string[]
  sagaTablesOutside: readonly string[]
  /** Contexts this one depends on, and contexts that depend on it, with their phases. */
  dependsOn: readonly { context: string; phase: Phase }[]
  dependents: readonly { context: string; phase: Phase }[]
}

const VERIFIED_WITHIN_MS = 15 * 60_000
const MOST_LAG_MS = 1_000
const CANARY_WITHIN_MS = 30_000
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

/** Everything that stands in the way of a switch or rollback, each with what it waits for. Pure. */
export function interlocks(facts: Facts): Interlock[] {
  const held: Interlock[] = []
  const hold = (waitsFor: string, passing = false) => held.push({ waitsFor, passing })
  if (facts.direction === 'to-service') forwardOnly(facts, hold)
  else
    for (const { context, phase } of facts.dependents)
      if (hasMoved(phase)) hold(`${context} moved later and depends on this context: roll ${context} back first`)
  if (facts.blocked)
    hold(`a blocked change: ${facts.blocked}; mend the row's obstacle, the lane then goes on by itself`)
  for (const line of facts.drift) hold(`the schema as it was prepared: ${line}; banyan unprepare and prepare again`)
  for (const line of facts.capture) hold(`the capture to be whole: ${line}; banyan unprepare and prepare again`)
  for (const table of facts.sagaTablesOutside) hold(`the saga table ${table} to be among the plan's tables`)
  if (facts.lagMs === null || facts.lagMs > MOST_LAG_MS)
    hold(
      `the lag to be at most 1 s: ${facts.lagMs === null ? 'no heartbeat has come through yet' : `it is ${seconds(facts.lagMs)}`}`,
      true,
    )
  for (const id of facts.lapsed) hold(`the lease of ${id}, which has ended: it is renewed, or removed 3 s later`, true)
  if (facts.canaryAgoMs === null || facts.canaryAgoMs > CANARY_WITHIN_MS)
    hold('a canary row to come back on the reverse path', true)
  for (const table of facts.vacuums) hold(`the vacuum of ${table} to end`, true)
  return held
}

function forwardOnly(facts: Facts, hold: (waitsFor: string) => void): void {
  const { verification } = facts
  if (!verification) hold('a clean verification: banyan verify')
  else if (verification.voidedBy) hold(`a new verification, since ${verification.voidedBy}: banyan verify`)
  else if (!verification.clean) hold('a clean verification; the last one found differences: banyan repair, then verify')
  else if (verification.agoMs > VERIFIED_WITHIN_MS)
    hold(
      `a clean verification of the last 15 minutes; the last is ${Math.round(verification.agoMs / 60_000)} minutes old: banyan verify`,
    )
  for (const { context, phase } of facts.dependsOn)
    if (!hasMoved(phase)) hold(`${context} to move first: the plan depends on it, and it is ${phase}`)
}

const hasMoved = (phase: Phase) => phase === 'switched' || phase === 'completed'
