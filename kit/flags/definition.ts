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
 * @returns 0 for a disabled flag, 100 for one without strategies or with one that is on for everybody (as the SDK
 *   decides), the rollout of a single unconstrained strategy otherwise. Null when one number cannot say it: several
 *   partial strategies, constraints, a stickiness that anonymous users lack, a dependency on another flag.
 */
export function shareOf(feature: Feature): number | null {
  if (!feature.enabled) return 0
  if (feature.dependencies?.length) return null
  const strategies = feature.strategies ?? []
  if (strategies.length === 0) return 100
  const shares = strategies.map(shareOfStrategy)
  if (shares.includes(100)) return 100
  return shares.length === 1 ? shares[0]! : null
}

function shareOfStrategy(strategy: NonNullable<Feature['strategies']>[number]): number | null {
  if (strategy.constraints?.length || strategy.segments?.length) return null
  if (strategy.name === 'default') return 100
  if (strategy.name !== 'flexibleRollout') return null
  const { rollout: percent, stickiness = 'default' } = strategy.parameters ?? {}
  const rollout = Number(percent)
  // Named stickiness is off for whoever lacks the field, even at 100 %.
  if (rollout > 0 && stickiness !== 'default' && stickiness !== 'random') return null
  return Number.isFinite(rollout) ? Math.min(Math.max(rollout, 0), 100) : null
}
