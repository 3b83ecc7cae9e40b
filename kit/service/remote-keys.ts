import { createRemoteJWKSet, errors, type JWTVerifyGetKey } from 'jose'

/** From this age on keys are fetched anew behind the requests, which go on with those that are there. */
const AGED_MS = 600_000
/** Nobody asked for a token's key for so long that one taken out meanwhile might count: they wait for the new ones. */
const IDLE_MS = 1_200_000
/**
 * As long as keys serve on while none can be fetched: a night and the morning in which it is mended. No longer, or who
 * can keep the URL from answering would keep a stolen key good for ever.
 */
const SERVE_ON_MS = 86_400_000
/** Nobody asks again after a failure for as long as that took, within these bounds; jose gives up at the second one. */
const [AFTER_FAILURE_MS, GIVEN_UP_MS] = [1_000, 5_000]

/**
 * Keys by the URL at which they are published. jose fetches, reads and chooses; when to fetch is decided here, because
 * it forgets keys at the age at which it renews them, and lets each request wait anew for a URL that hangs.
 * @param cooldownMs How long after they were fetched an unknown `kid` fetches them no further time.
 * @param onFailed Hears of each fetch that came to nothing: while known keys serve on, no request tells of it.
 */
export function createRemoteKeys(url: URL, cooldownMs: number, onFailed?: (cause: unknown) => void): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(url, {
    cacheMaxAge: SERVE_ON_MS,
    cooldownDuration: Number.POSITIVE_INFINITY,
    timeoutDuration: GIVEN_UP_MS,
  })
  let fetchedAt = Number.NEGATIVE_INFINITY
  let failed: { cause: unknown; until: number } | null = null
  let fetching: Promise<void> | null = null
  let askedAt = performance.now()
  let catchingUp: Promise<void> | null = null
  const age = () => performance.now() - fetchedAt

  const load = async () => {
    const begun = performance.now()
    try {
      await remote.reload()
      fetchedAt = performance.now()
      failed = null
    } catch (cause) {
      const ended = performance.now()
      failed = { cause, until: ended + Math.min(Math.max(AFTER_FAILURE_MS, ended - begun), GIVEN_UP_MS) }
      onFailed?.(cause)
      throw cause
    } finally {
      fetching = null
    }
  }
  const renew = async (): Promise<void> => {
    if (fetching === null && failed !== null && performance.now() < failed.until) throw failed.cause
    fetching ??= load()
    await fetching
  }

  return async (header, token) => {
    const isIdle = performance.now() - askedAt >= IDLE_MS
    askedAt = performance.now()
    if (!remote.fresh) await renew()
    else if (age() >= AGED_MS) {
      const renewed = renew().catch(() => undefined)
      if (isIdle)
        catchingUp ??= renewed.finally(() => {
          catchingUp = null
        })
      await catchingUp
    }
    try {
      return await remote(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || age() < cooldownMs) throw error
      await renew()
      return await remote(header, token)
    }
  }
}
