import { append } from '@banyan/kit/outbox'
import type { Knex } from 'knex'
import type { Product } from './products.ts'
import type { Reservation } from './reservation.ts'
import { CONTEXT } from './side.ts'

// Each is appended while the transaction holds the row that the stream is named after: ids follow commit order.

export type ProductChange = 'created' | 'updated' | 'stock-adjusted'

export async function productChanged(trx: Knex.Transaction, product: Product, change: ProductChange): Promise<void> {
  await append(trx, {
    context: CONTEXT,
    stream: `product-${product.id}`,
    type: 'ProductChanged',
    version: 1,
    payload: {
      productId: product.id,
      change,
      sku: product.sku,
      name: product.name,
      category: product.category.slug,
      priceCents: product.priceCents,
      available: product.stock.available,
    },
  })
}

export async function productDeleted(trx: Knex.Transaction, product: { id: number; sku: string }): Promise<void> {
  await append(trx, {
    context: CONTEXT,
    stream: `product-${product.id}`,
    type: 'ProductDeleted',
    version: 1,
    payload: { productId: product.id, sku: product.sku },
  })
}

export async function stockReserved(trx: Knex.Transaction, { orderId, lines, expiresAt }: Reservation): Promise<void> {
  await append(trx, {
    context: CONTEXT,
    stream: `reservation-${orderId}`,
    type: 'StockReserved',
    version: 1,
    payload: { orderId, lines, expiresAt },
  })
}

export async function stockReleased(trx: Knex.Transaction, { orderId, lines, status }: Reservation): Promise<void> {
  await append(trx, {
    context: CONTEXT,
    stream: `reservation-${orderId}`,
    type: 'StockReleased',
    version: 1,
    payload: { orderId, lines, reason: status },
  })
}
