// Work side by side, and in order where order matters.

export interface Lanes {
  /** Runs `work` after everything that was given to the same lane before. */
  run<T>(lane: string, work: () => Promise<T>): Promise<T>
}

export function createLanes(): Lanes {
  const tails = new Map<string, Promise<void>>()
  return {
    run(lane, work) {
      const mine = (tails.get(lane) ?? Promise.resolve()).then(work)
      const forget = () => {
        if (tails.get(lane) === tail) tails.delete(lane)
      }
      // A lane goes on whatever became of the work before; who gave that has its promise.
      const tail: Promise<void> = mine.then(forget, forget)
      tails.set(lane, tail)
      return mine
    },
  }
}

export interface Places {
  /** Runs `work` when a place is free. */
  share<T>(work: () => Promise<T>): Promise<T>
  /** Runs `work` when all places are free: with nothing beside it. */
  alone<T>(work: () => Promise<T>): Promise<T>
}

export function createPlaces(count: number): Places {
  const queue: { enter(): void; needs: number }[] = []
  let free = count

  const hold = async <T>(needs: number, work: () => Promise<T>): Promise<T> => {
    await new Promise<void>((enter) => {
      queue.push({ enter, needs })
      admit()
    })
    try {
      return await work()
    } finally {
      free += needs
      admit()
    }
  }
  return { share: (work) => hold(1, work), alone: (work) => hold(count, work) }

  // Strictly in turn: one who needs all places would wait for ever if those who need one could pass.
  function admit(): void {
    while (queue[0] && queue[0].needs <= free) {
      const next = queue.shift()!
      free -= next.needs
      next.enter()
    }
  }
}
