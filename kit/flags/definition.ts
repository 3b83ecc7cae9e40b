/** A flag as configured, for whoever acts on the flag itself rather than on a decision about one user. */
import type { Feature } from './payload.ts'

export type Definition = {
  readonly name: string
  /** In the environment that the client's token belongs to. */
  readonly enabled: boolean
  /** Share of users it is on for, in percent; null if that cannot be said in one number. */
  readonly share: number | null
}

/** @returns Name, state and share of a flag. */
export function toDefinition(feature: Feature): Definition {
  return Object.freeze({ name: feature.name, enabled: feature.enabled, share: shareOf(feature) })
}

/**
 * @returns 0 for a disabled flag and 100 for one without strategies, as the SDK decides; else the greatest share among
 *   the strategies that apply to everybody. Null when only constrained or unknown strategies would decide, or when the
 *   flag depends on another.
 */
export function shareOf(feature: Feature): number | null {
  if (!feature.enabled) return 0
  if (feature.dependencies?.length) return null
  const strategies = feature.strategies ?? []
  if (strategies.length === 0) return 100
  const shares = strategies.map(shareOfStrategy)
  const known = shares.filter((share) => share !== null)
  if (known.includes(100)) return 100
  // A further strategy for some users makes the true share larger than any of the others.
  return known.length === 1 && shares.length === 1 ? known[0]! : null
}

function shareOfStrategy(strategy: NonNullable<Feature['strategies']>[number]): number | null {
  if (strategy.constraints?.length || strategy.segments?.length) return null
  if (strategy.name === 'default') return 100
  if (strategy.name !== 'flexibleRollout') return null
  const rollout = Number(strategy.parameters?.rollout)
  return Number.isFinite(rollout) ? Math.min(Math.max(rollout, 0), 100) : null
}
