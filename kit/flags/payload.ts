/** What Unleash tells its clients, and whether to believe it. */
import type { ClientFeaturesResponse } from 'unleash-client'

export type Payload = Pick<ClientFeaturesResponse, 'features' | 'segments'>
export type Feature = Payload['features'][number]

/**
 * @param json A parsed answer of `/client/features`, or a backup's content.
 * @throws Error that says what is not as it must be; a half-understood payload must not decide where requests go.
 */
export function readPayload(json: unknown): Payload {
  const { features, segments } = (json ?? {}) as Record<string, unknown>
  if (!Array.isArray(features)) throw new Error('the payload has no list of features')
  for (const feature of features as Partial<Feature>[])
    if (typeof feature?.name !== 'string' || typeof feature.enabled !== 'boolean' || !Array.isArray(feature.strategies))
      throw new Error(`the payload has a feature that cannot be read: ${String(feature?.name)}`)
  return { features, ...(Array.isArray(segments) ? { segments } : {}) }
}

/**
 * @returns Whether an answer without a single flag stands where flags were known: an Unleash restored from nothing, not
 *   an operator's wish. Acting on it would send every share to 0 % at once.
 */
export function isSuspiciouslyEmpty(next: Payload, known: Payload | undefined): boolean {
  return next.features.length === 0 && (known?.features.length ?? 0) > 0
}
