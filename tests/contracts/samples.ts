/** Events as the contract has them, for services that begin with what they hear. */
import { createTeller, type Teller } from '../support/tell.ts'
import { checkEvent } from './events.ts'

const customer = { name: 'Ada', email: 'ada@example.org' }
const items = [{ productId: 7, name: 'Kettle', priceCents: 1999, quantity: 2 }]
const shippingAddress = { name: 'Ada', line1: 'Main 1', postalCode: '10115', city: 'Berlin', country: 'DE' }

const about = (orderId: number, userId: number) => ({ orderId, userId, customer, totalCents: 3998, items })

const PAYLOADS = {
  OrderPlaced: about,
  OrderConfirmed: (orderId: number, userId: number) => ({ ...about(orderId, userId), shippingAddress }),
  OrderCancelled: (orderId: number, userId: number) => ({
    ...about(orderId, userId),
    reason: 'cancelled-by-customer',
  }),
  ShipmentDispatched: (orderId: number, userId: number) => ({
    ...{ shipmentId: orderId, orderId, userId, customer },
    trackingCode: 'BN0123456789AB',
  }),
}

export type Sample = { id?: string; type: keyof typeof PAYLOADS; orderId: number; userId: number }
export type TellSample = (sample: Sample) => Promise<string>

/** Tells of samples; each is held to its schema first. */
export async function createSampleTeller(amqpUrl: string): Promise<{ tell: TellSample; close: Teller['close'] }> {
  const teller = await createTeller(amqpUrl)
  return {
    async tell({ id, type, orderId, userId }) {
      const payload = PAYLOADS[type](orderId, userId)
      const faults = checkEvent({ type, version: 1, payload })
      if (faults.length > 0) throw new Error(faults.join('\n'))
      const context = type === 'ShipmentDispatched' ? 'shipping' : 'orders'
      const stream = `${context === 'orders' ? 'order' : 'shipment'}-${orderId}`
      return await teller.tell({ ...(id === undefined ? {} : { id }), type, context, stream, payload })
    },
    close: teller.close,
  }
}
