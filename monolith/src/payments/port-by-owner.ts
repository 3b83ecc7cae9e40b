import { setTimeout as sleep } from 'node:timers/promises'
import { ownerOf } from '@banyan/kit/ownership'
import { isRefused, refusal } from '@banyan/kit/service'
import type { Knex } from 'knex'
import type { PaymentsPort } from './port.ts'
import { CONTEXT, SIDE } from './side.ts'

const PAUSE_MS = { first: 10, most: 100 }

/**
 * Payments wherever they are: branch by abstraction. The owner is read in a transaction that ends before either side is
 * asked, so no move waits for a provider; each side looks again, under the lock, before it writes. Whoever is asked in
 * the wrong moment refuses (421 or 503 with `Banyan-Refused`), and the owner of then is asked; after a while the
 * last refusal is thrown, or, where the provider had been asked before it, that this is unclear.
 *
 * @param options.patienceMs for how long it is asked again after a refusal; with the deadline of the last attempt it
 *   stays below the time that a saga gives one call
 */
export const createPaymentsPort = (options: {
  db: Knex
  local: PaymentsPort
  remote: PaymentsPort
  patienceMs?: number
}): PaymentsPort => {
  const { db, local, remote, patienceMs = 900 } = options
  const atOwner = async <T>(ask: (side: PaymentsPort) => Promise<T>): Promise<T> => {
    const end = performance.now() + patienceMs
    /** That a later attempt was refused does not take back what the provider was asked for by an earlier one. */
    let unclear: unknown
    for (let pause = PAUSE_MS.first; ; pause = Math.min(pause * 2, PAUSE_MS.most)) {
      try {
        return await ask((await ownedHere(db)) ? local : remote)
      } catch (error) {
        if (!isElsewhereNow(error)) throw error
        if (!isRefused(error)) unclear = error
        if (performance.now() + pause >= end) throw unclear ?? error
      }
      await sleep(pause)
    }
  }
  return {
    charge: (request) => atOwner((side) => side.charge(request)),
    cancel: (request) => atOwner((side) => side.cancel(request)),
  }
}

/** Refused, or moved between the provider's answer and the note of it: the owner of now finds out under the same key. */
const isElsewhereNow = (error: unknown): boolean =>
  isRefused(error) || isRefused((error as { cause?: unknown } | null)?.cause)

/** @throws Problem 503 `fenced` while payments move */
const ownedHere = async (db: Knex): Promise<boolean> => {
  const { owner } = await db.transaction((trx) => ownerOf(trx, CONTEXT))
  if (owner === 'moving') throw refusal(CONTEXT, owner, SIDE)
  return owner === SIDE
}
