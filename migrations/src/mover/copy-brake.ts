/** From where on the copy stands aside: people's work on the source comes first. */
export type CopyLimits = {
  /** Milliseconds that changes may take to the other side. */
  lagMs: number
  /** Sessions at work on the source's server, the mover's own not counted. */
  load: number
}

/**
 * What the copy waits for before its next chunk, or null when it may go on (design: chunks pause when the lag or the
 * source's load is over a threshold). Pure. A lag that was never seen brakes nothing: no change has been waiting.
 */
export function copyBrake(seen: { lagMs: number | null; atWork: number }, limits: CopyLimits): string | null {
  const reasons: string[] = []
  if (seen.atWork > limits.load)
    reasons.push(`the source to be less busy: ${seen.atWork} sessions are at work, more than ${limits.load}`)
  if (seen.lagMs !== null && seen.lagMs > limits.lagMs)
    reasons.push(`changes to catch up: the lag is ${inSeconds(seen.lagMs)}, more than ${inSeconds(limits.lagMs)}`)
  return reasons.length > 0 ? reasons.join('; ') : null
}

const inSeconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
