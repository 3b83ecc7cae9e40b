import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Asks again every `everyMs` until the answer is true; a question that throws counts as no, except when it throws a
 * `GaveUp`.
 * @param what for the error: what was waited for
 * @throws after `withinMs`, with the last reason
 */
export async function becomesTrue(
  what: string,
  ask: () => Promise<boolean>,
  withinMs: number,
  everyMs = 100,
): Promise<void> {
  const deadline = Date.now() + withinMs
  let last = 'the answer stayed no'
  for (;;) {
    try {
      if (await ask()) return
    } catch (error) {
      if (error instanceof GaveUp) throw error
      last = (error as Error).message
    }
    if (Date.now() > deadline) throw new Error(`waited ${withinMs} ms for ${what}: ${last}`)
    await sleep(everyMs)
  }
}

/** Waiting on makes no sense: what was waited for has ended. */
export class GaveUp extends Error {}
