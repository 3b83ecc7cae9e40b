/** The shoppers of the tour with their ledger, for a stack of a test. */
import { join } from 'node:path'
import { isExact } from '../../../compose/ledger/compare.ts'
import { readStock } from '../../../compose/ledger/held.ts'
import { settledLedger } from '../../../compose/ledger/settle.ts'
import { type Crowd, startCrowd } from '../../../compose/shoppers/crowd.ts'
import type { System } from './system.ts'

export type Shoppers = {
  crowd: Crowd
  /** Compares what was told with what is held, once the crowd has stopped. */
  count(): ReturnType<typeof settledLedger>
  /**
   * Lets everybody finish, then compares what was told with what is held.
   * @param mayRepeat the events whose e-mail was in the hand of a process when it was killed
   * @throws with what does not add up
   */
  leave(mayRepeat?: ReadonlySet<string>): Promise<void>
}

/** @param rate what they do per second */
export async function letShoppersIn({ stack, places }: System, rate: number): Promise<Shoppers> {
  const initial = await readStock(places)
  const journalFile = join(stack.facts.folder, `told-${Date.now()}.jsonl`)
  const crowd = await startCrowd({
    baseUrl: stack.env.SHOP_URL ?? '',
    rate,
    journalFile,
    admin: stack.facts.admin,
    products: [...initial.keys()],
  })
  const compared = (withinMs: number, mayRepeat?: ReadonlySet<string>) =>
    settledLedger(journalFile, initial, places, withinMs, mayRepeat)
  return {
    crowd,
    count: () => compared(0),
    async leave(mayRepeat) {
      await crowd.stop()
      const { ledger, findings } = await compared(60_000, mayRepeat)
      if (isExact(ledger) && ledger.ordersAcknowledged > 0) return
      throw new Error(`the ledger: ${JSON.stringify(ledger)}\n${findings.slice(0, 20).join('\n')}`)
    },
  }
}
