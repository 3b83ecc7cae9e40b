/** Counts requests on their way to an upstream, by context, and tells when there are none left. */
export interface InFlight {
  /** A request that concerns these contexts sets out. Returns what to call, once, when it has ended. */
  enter(contexts: readonly string[]): () => void
  count(context: string): number
  total(): number
  /** Resolves when no request in flight concerns the context, or so many milliseconds have passed. */
  drained(context: string, withinMs?: number): Promise<void>
}

export function createInFlight(): InFlight {
  const counts = new Map<string, number>()
  const waiting = new Map<string, (() => void)[]>()
  let total = 0
  const leave = (contexts: readonly string[]) => {
    total -= 1
    for (const context of contexts) {
      const left = (counts.get(context) ?? 0) - 1
      counts.set(context, left)
      if (left > 0) continue
      const tell = waiting.get(context) ?? []
      waiting.delete(context)
      for (const resolve of tell) resolve()
    }
  }
  return {
    enter(contexts) {
      total += 1
      for (const context of contexts) counts.set(context, (counts.get(context) ?? 0) + 1)
      let ended = false
      return () => {
        if (ended) return
        ended = true
        leave(contexts)
      }
    },
    count: (context) => counts.get(context) ?? 0,
    total: () => total,
    drained(context, withinMs) {
      if ((counts.get(context) ?? 0) === 0) return Promise.resolve()
      return new Promise((resolve) => {
        const late = withinMs === undefined ? undefined : setTimeout(resolve, withinMs).unref()
        const tell = () => {
          clearTimeout(late)
          resolve()
        }
        const others = waiting.get(context)
        if (others) others.push(tell)
        else waiting.set(context, [tell])
      })
    },
  }
}
