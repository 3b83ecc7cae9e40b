/** Lets background work pass while its contexts are not held, and knows when what has passed has ended. */
export type WorkGate = {
  /**
   * Runs one short step of background work unless one of its contexts is held.
   * @returns what the work returned, or undefined when the gate was closed and nothing ran
   */
  pass<T>(contexts: readonly string[], work: () => Promise<T>): Promise<T | undefined>
  /** Resolves when no step of the context is running; from the hold on none begins. */
  drained(context: string): Promise<void>
}

/**
 * @param held whether a context must stand still now; asked before each step
 */
export function createWorkGate(held: (context: string) => boolean): WorkGate {
  const running = new Map<string, Set<Promise<unknown>>>()
  const stepsOf = (context: string) => {
    const steps = running.get(context) ?? new Set()
    running.set(context, steps)
    return steps
  }

  return {
    async pass(contexts, work) {
      if (contexts.some(held)) return undefined
      const step = work()
      const settled = step.catch(() => undefined)
      for (const context of contexts) stepsOf(context).add(settled)
      try {
        return await step
      } finally {
        for (const context of contexts) stepsOf(context).delete(settled)
      }
    },
    async drained(context) {
      await Promise.all(stepsOf(context))
    },
  }
}
