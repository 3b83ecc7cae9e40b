import { expect, it } from 'vitest'
import { LETTERS } from './letters.ts'

const order = { orderId: 7, userId: 3, customer: { name: 'Ada', email: 'ada@shop.test' } }
const write = (type: string, payload: object) => LETTERS[type]!({ ...order, ...payload })

it('says what was ordered, at what price, and what it comes to', () => {
  const items = [
    { productId: 1, name: 'Oak table', priceCents: 12_050, quantity: 2 },
    { productId: 2, name: 'Lamp', priceCents: 5, quantity: 1 },
  ]
  expect(write('OrderPlaced', { totalCents: 24_105, items })).toEqual({
    userId: 3,
    recipient: 'ada@shop.test',
    subject: 'We have your order 7',
    body: [
      'Hello Ada,',
      '',
      'thank you for your order:',
      '  2 x Oak table, 120.50 EUR each',
      '  1 x Lamp, 0.05 EUR each',
      'Together: 241.05 EUR',
      '',
      'Banyan Shop',
      '',
    ].join('\n'),
  })
})

it.each([
  ['cancelled-by-customer', 'You asked us to.'],
  ['payment-declined', 'The payment was declined.'],
  ['deadline', 'It could not be completed.'],
])('says why an order is cancelled: %s', (reason, why) => {
  const { subject, body } = write('OrderCancelled', { reason })
  expect([subject, body]).toEqual(['Your order 7 is cancelled', expect.stringContaining(`is cancelled. ${why}\n`)])
})

it('says by what code a parcel can be followed', () => {
  expect(write('ShipmentDispatched', { trackingCode: 'BN1' }).body).toContain('Tracking code: BN1\n')
})

it('writes nothing of an event that lacks what the letter says', () => {
  expect(() => write('OrderPlaced', { items: [] })).toThrow()
})
