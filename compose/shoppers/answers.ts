/** What an answer about an order says. */
import { z } from 'zod'
import type { Answer } from './shop-client.ts'

const shape = z.object({ id: z.number(), status: z.string(), totalCents: z.number().optional() })

/** `orderId` is absent where the answer promises that there is no order. */
export type Placed = { httpStatus: number; orderId?: number; status: string; totalCents?: number }

export function placedBy({ status: httpStatus, body }: Answer): Placed {
  const known = shape.safeParse(body)
  if (httpStatus >= 300 || !known.success) return { httpStatus, status: 'refused' }
  const { id: orderId, status, totalCents } = known.data
  return { httpStatus, orderId, status, ...(totalCents === undefined ? {} : { totalCents }) }
}

export function statusOf({ status, totalCents }: Placed): { status: string; totalCents?: number } {
  return { status, ...(totalCents === undefined ? {} : { totalCents }) }
}

/** Whether the shop has decided: what is pending or being cancelled is asked for again. */
export function ended(status: string): boolean {
  return status !== 'pending' && status !== 'cancelling'
}
