import { type Journal, openJournal } from '../journal.ts'

/** One line of the ledger. Amounts in cents; `key` is the idempotency key of the charge it belongs to. */
export type Entry = { at: string; key: string } & (
  | { kind: 'charge'; id: string; amountCents: number; token: string; reference: string }
  | { kind: 'decline'; id: string; amountCents: number; token: string; reference: string }
  | { kind: 'refund'; id: string; amountCents: number; refundKey: string }
  | { kind: 'void' }
)
type Attempted = Extract<Entry, { kind: 'charge' | 'decline' }>
type Refund = Extract<Entry, { kind: 'refund' }>

/** All that is known of one charge key. `voided`: cancelled before it was ever made, so it may never be made. */
export type Charge = { made: Attempted | undefined; refunds: Refund[]; voided: boolean }

/** What the provider holds, in memory as an index and on disk as the truth. */
export type Ledger = {
  entries: readonly Entry[]
  get(key: string): Charge | undefined
  /** Takes effect in memory at once, so that a racing twin sees it, and resolves when it is on the disk. */
  record(entry: Entry): Promise<void>
  /** Resolves when all that was recorded for the key is on the disk: nobody is told what a crash could still take. */
  settled(key: string): Promise<void>
  close(): Promise<void>
}

/** Cents that the charge still holds. */
export const heldCents = (charge: Charge): number =>
  charge.made?.kind === 'charge'
    ? charge.made.amountCents - charge.refunds.reduce((sum, refund) => sum + refund.amountCents, 0)
    : 0

/** Opens the ledger file; every earlier entry is read back first. */
export const openLedger = async (path: string): Promise<Ledger> => {
  const entries: Entry[] = []
  const charges = new Map<string, Charge>()
  const pending = new Map<string, Promise<void>>()
  const index = (entry: Entry) => {
    entries.push(entry)
    const charge = charges.get(entry.key) ?? { made: undefined, refunds: [], voided: false }
    if (entry.kind === 'refund') charge.refunds.push(entry)
    else if (entry.kind === 'void') charge.voided = true
    else charge.made = entry
    charges.set(entry.key, charge)
  }
  const journal: Journal<Entry> = await openJournal<Entry>(path, index)
  return {
    entries,
    get: (key) => charges.get(key),
    async record(entry) {
      index(entry)
      const written = journal.append(entry)
      pending.set(entry.key, written)
      await written
      if (pending.get(entry.key) === written) pending.delete(entry.key)
    },
    async settled(key) {
      await pending.get(key)
    },
    close: () => journal.close(),
  }
}
