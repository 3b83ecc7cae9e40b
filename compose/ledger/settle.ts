/** Compares until everything adds up: sagas, shipments and e-mails end a moment after the last shopper has gone. */
import { setTimeout as sleep } from 'node:timers/promises'
import { compare, type Finding, isExact, type Ledger } from './compare.ts'
import { type Places, readHoldings, type Stock } from './held.ts'
import { readJournal } from './journal.ts'

/**
 * @param initial the stock before the first shopper
 * @param withinMs how long differences may take to go away
 * @param mayRepeat see `compare`
 */
export async function settledLedger(
  journalFile: string,
  initial: Stock,
  places: Places,
  withinMs: number,
  mayRepeat?: ReadonlySet<string>,
): Promise<{ ledger: Ledger; findings: Finding[] }> {
  const told = await readJournal(journalFile)
  const deadline = Date.now() + withinMs
  for (;;) {
    const result = compare(told, initial, await readHoldings(places), mayRepeat)
    if (isExact(result.ledger) || Date.now() > deadline) return result
    await sleep(500)
  }
}
