/** How sure one can be that a share is not chance. */

/** 1.96 standard deviations: 95 % of both sides. */
const Z = 1.96

/**
 * Wilson's interval of a share (E. B. Wilson, 1927): unlike the textbook interval it is right at 0 and at few trials.
 * @returns lower and upper bound at 95 %
 */
export function wilson(hits: number, trials: number): [number, number] {
  if (trials === 0) return [0, 1]
  const share = hits / trials
  const z2 = Z * Z
  const middle = share + z2 / (2 * trials)
  const spread = Z * Math.sqrt((share * (1 - share) + z2 / (4 * trials)) / trials)
  const whole = 1 + z2 / trials
  return [Math.max(0, (middle - spread) / whole), Math.min(1, (middle + spread) / whole)]
}

/**
 * Fisher's exact test, one-sided: the chance of at least this many hits in the first group if both had one share.
 * @param hits of `trials` in the first group
 * @param otherHits of `otherTrials` in the second
 */
export function fisher(hits: number, trials: number, otherHits: number, otherTrials: number): number {
  const all = trials + otherTrials
  const allHits = hits + otherHits
  let chance = 0
  for (let seen = hits; seen <= Math.min(trials, allHits); seen++) {
    if (allHits - seen > otherTrials) continue
    chance += Math.exp(logChoose(trials, seen) + logChoose(otherTrials, allHits - seen) - logChoose(all, allHits))
  }
  return Math.min(1, chance)
}

const logs: number[] = [0]

function logChoose(from: number, take: number): number {
  return logFactorial(from) - logFactorial(take) - logFactorial(from - take)
}

function logFactorial(n: number): number {
  for (let next = logs.length; next <= n; next++) logs[next] = logs[next - 1]! + Math.log(next)
  return logs[n]!
}
