import type { EventHandler } from '@banyan/kit/inbox'
import type { Knex } from 'knex'
import { z } from 'zod'
import { forgetProduct } from './cart.ts'

const ProductDeleted = z.object({ productId: z.int() })
const ShipmentDispatched = z.object({ orderId: z.int() })

/** What orders must know of the other contexts. */
export const orderHandlers: Record<string, EventHandler<Knex.Transaction>> = {
  async ProductDeleted(trx, { payload }) {
    await forgetProduct(trx, ProductDeleted.parse(payload).productId)
  },

  /** From now on the order cannot be cancelled; one that is being cancelled already stays so. */
  async ShipmentDispatched(trx, { payload }) {
    await trx('orders')
      .where({ id: ShipmentDispatched.parse(payload).orderId, status: 'confirmed' })
      .update({ status: 'shipped', updated_at: trx.fn.now() })
  },
}
