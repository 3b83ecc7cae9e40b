import { ownerOf, type WorkGate } from '@banyan/kit/ownership'
import type { Logger } from '@banyan/kit/service'
import type { Knex } from 'knex'
import { lockExpired, release } from './reservations.ts'
import { CONTEXT, SIDE } from './side.ts'

const BATCH = 50

/**
 * Gives the stock of reservations that ran out back, one transaction each: two in one would lock stock in an order of
 * their own, and wait in a circle with a buyer.
 * @returns how many; 0 too when the other side owns inventory, whose business it then is
 */
export async function releaseExpired(db: Knex): Promise<number> {
  let released = 0
  while (released < BATCH && (await releaseOne(db))) released++
  return released
}

const releaseOne = (db: Knex): Promise<boolean> =>
  db.transaction(async (trx) => {
    const { owner } = await ownerOf(trx, CONTEXT)
    if (owner !== SIDE) return false
    const orderId = await lockExpired(trx)
    if (orderId === undefined) return false
    await release(trx, orderId, 'expired')
    return true
  })

/** Looks for expired reservations every `intervalMs`, while inventory is not held. */
export function startExpiry(deps: { db: Knex; gate: WorkGate; logger: Logger; intervalMs?: number }): {
  close(): Promise<void>
} {
  const { db, gate, logger, intervalMs = 1_000 } = deps
  let closed = false
  let timer: NodeJS.Timeout
  let running: Promise<void> = Promise.resolve()

  async function round(): Promise<void> {
    try {
      const released = (await gate.pass([CONTEXT], () => releaseExpired(db))) ?? 0
      if (released > 0) logger.info({ released }, 'reservations expired')
    } catch (error) {
      logger.warn({ err: error }, 'could not release expired reservations; trying again')
    }
    if (!closed) schedule()
  }
  function schedule(): void {
    timer = setTimeout(() => {
      running = round()
    }, intervalMs)
  }

  schedule()
  return {
    async close() {
      closed = true
      clearTimeout(timer)
      await running
    },
  }
}
