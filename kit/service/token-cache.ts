/** Verified tokens until they expire: an ES256 verification costs about a third of a proxied request. */

export type TokenCache<T> = { get(token: string): T | undefined; put(token: string, value: T, expiresMs: number): void }

/**
 * @param limit Most entries kept; the oldest goes first, so that made-up traffic cannot fill the memory.
 * @param now Milliseconds since 1970, for tests.
 */
export function createTokenCache<T>(limit = 10_000, now: () => number = Date.now): TokenCache<T> {
  const entries = new Map<string, { value: T; expiresMs: number }>()
  // A request asks for its token more than once, each time as a new text, which a table reads whole to find it.
  let latest: { token: string; entry: { value: T; expiresMs: number } | undefined } = { token: '', entry: undefined }
  return {
    get(token) {
      if (token !== latest.token) latest = { token, entry: entries.get(token) }
      const { entry } = latest
      if (!entry) return undefined
      if (entry.expiresMs > now()) return entry.value
      entries.delete(token)
      latest.entry = undefined
      return undefined
    },
    put(token, value, expiresMs) {
      if (entries.size >= limit) {
        const oldest = entries.keys().next()
        if (!oldest.done) entries.delete(oldest.value)
      }
      const entry = { value, expiresMs }
      entries.set(token, entry)
      latest = { token, entry }
    },
  }
}
