import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Asks until there is an answer that is neither false, null nor undefined; a question that throws counts as no.
 * @param what for the error
 * @param seen tells, for the error, how things stand
 * @throws after `withinMs`
 */
export async function until<T>(
  what: string,
  withinMs: number,
  ask: () => Promise<T | false | null | undefined>,
  seen: () => Promise<unknown> = async () => '',
): Promise<T> {
  const deadline = Date.now() + withinMs
  let why = ''
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== false && answer !== null && answer !== undefined) return answer
      why = ''
    } catch (error) {
      why = (error as Error).message
    }
    if (Date.now() > deadline) {
      const state = await seen().catch((error: Error) => error.message)
      throw new Error(`waited ${withinMs} ms for ${what}; ${why} ${JSON.stringify(state) ?? ''}`)
    }
    await sleep(50)
  }
}
