import { setTimeout as delay } from 'node:timers/promises'
import { Problem } from '@banyan/kit/service'
import type { Knex } from 'knex'
import type { InventoryPort, LocalInventory, RemoteInventory } from './port.ts'

const PAUSE_MS = 50

/**
 * Takes one step in inventory on the side that owns it. A refusal (421 `not-owner`, 503 `fenced`) promises that nothing
 * was done, so the owner is looked up anew and the step taken again, until the deadline.
 * @param step.local runs in a transaction that holds the owner still, and may write other contexts in it
 * @param step.remote runs with no transaction open
 * @param step.deadlineMs how long to wait for a context on the move
 * @throws what the step throws; the last refusal when the deadline passes
 */
export async function reachInventory<T>(
  { db, inventory }: { db: Knex; inventory: InventoryPort },
  step: {
    local(trx: Knex.Transaction, inventory: LocalInventory): Promise<T>
    remote(inventory: RemoteInventory): Promise<T>
    deadlineMs?: number
  },
): Promise<T> {
  const deadline = performance.now() + (step.deadlineMs ?? 5_000)
  for (;;) {
    try {
      const done = await db.transaction(async (trx) =>
        (await inventory.side(trx)) === 'local' ? { value: await step.local(trx, inventory.local) } : undefined,
      )
      return done ? done.value : await step.remote(inventory.remote)
    } catch (error) {
      if (!wasRefused(error) || performance.now() + PAUSE_MS > deadline) throw error
      await delay(PAUSE_MS)
    }
  }
}

/** The fence itself speaks as SQLSTATE BN001, a side that looked first as a Problem with the header. */
function wasRefused(error: unknown): boolean {
  if (error instanceof Problem) return error.headers['Banyan-Refused'] !== undefined
  return (error as { code?: string } | null)?.code === 'BN001'
}
