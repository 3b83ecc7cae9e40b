import { z } from 'zod'

const Customer = z.object({ name: z.string(), email: z.string() })
const Addressed = z.object({ orderId: z.int(), userId: z.int(), customer: Customer })
const Placed = Addressed.extend({
  totalCents: z.int(),
  items: z.array(z.object({ name: z.string(), quantity: z.int(), priceCents: z.int() })),
})
const Cancelled = Addressed.extend({ reason: z.string() })
const Dispatched = Addressed.extend({ trackingCode: z.string() })

/** An e-mail as it will be sent. */
export type Letter = { userId: number; recipient: string; subject: string; body: string }

const REASONS: Record<string, string> = {
  'cancelled-by-customer': 'You asked us to.',
  'payment-declined': 'The payment was declined.',
  'out-of-stock': 'Not enough was left of what you ordered.',
}

const letter = ({ userId, customer }: z.infer<typeof Addressed>, subject: string, lines: string[]): Letter => ({
  userId,
  recipient: customer.email,
  subject,
  body: [`Hello ${customer.name},`, '', ...lines, '', 'Banyan Shop', ''].join('\n'),
})

const euros = (cents: number): string => `${(cents / 100).toFixed(2)} EUR`

/** What is written to a customer when something happened, by the event's type. */
export const LETTERS: Record<string, (payload: unknown) => Letter> = {
  OrderPlaced(payload) {
    const order = Placed.parse(payload)
    const lines = order.items.map((item) => `  ${item.quantity} x ${item.name}, ${euros(item.priceCents)} each`)
    return letter(order, `We have your order ${order.orderId}`, [
      'thank you for your order:',
      ...lines,
      `Together: ${euros(order.totalCents)}`,
    ])
  },
  OrderCancelled(payload) {
    const order = Cancelled.parse(payload)
    const why = REASONS[order.reason] ?? 'It could not be completed.'
    return letter(order, `Your order ${order.orderId} is cancelled`, [
      `your order ${order.orderId} is cancelled. ${why}`,
      'Whatever was paid for it is on its way back to you.',
    ])
  },
  ShipmentDispatched(payload) {
    const { trackingCode, ...shipment } = Dispatched.parse(payload)
    return letter(shipment, `Your order ${shipment.orderId} is on its way`, [
      `your order ${shipment.orderId} is on its way. Tracking code: ${trackingCode}`,
    ])
  },
}
