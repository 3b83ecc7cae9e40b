import { expect, it } from 'vitest'
import { fingerprint, mergeLines, refusedResponse, totalOf } from './order.ts'

const shippingAddress = { name: 'Ada', line1: 'Main 1', postalCode: '10115', city: 'Berlin', country: 'DE' }
const request = { paymentToken: 'tok_visa', shippingAddress, items: [{ productId: 2, quantity: 1 }] }

it('recognises a request however its lines and fields are ordered', () => {
  const items = [
    { productId: 3, quantity: 1 },
    { productId: 2, quantity: 1 },
    { productId: 3, quantity: 1 },
  ]
  const turned = { country: 'DE', city: 'Berlin', postalCode: '10115', line1: 'Main 1', name: 'Ada' }
  const merged = [
    { productId: 2, quantity: 1 },
    { productId: 3, quantity: 2 },
  ]
  expect(fingerprint({ ...request, items, shippingAddress: turned })).toBe(fingerprint({ ...request, items: merged }))
})

it('tells requests apart that differ in anything', () => {
  const others = [
    { ...request, items: undefined },
    { ...request, items: [{ productId: 2, quantity: 2 }] },
    { ...request, paymentToken: 'tok_flaky' },
    { ...request, shippingAddress: { ...shippingAddress, line2: 'c/o Bob' } },
  ]
  expect(new Set([request, ...others].map(fingerprint)).size).toBe(5)
})

it('adds up lines of one product, and the total', () => {
  const line = { productId: 1, name: 'Tea', priceCents: 250, quantity: 2 }
  expect(mergeLines([line, line])).toEqual([{ ...line, quantity: 4 }])
  expect(totalOf([line, { ...line, productId: 2, quantity: 1 }])).toBe(750)
})

it('answers a refusal with its own status and what the callee said', () => {
  const lines = [{ productId: 1, requested: 2, available: 1 }]
  const short = { code: 'out-of-stock', message: 'not enough', detail: { members: { lines } } }
  expect(refusedResponse(7, short)).toEqual({
    status: 409,
    body: { code: 'out-of-stock', detail: 'not enough', orderId: 7, lines },
  })
  expect(refusedResponse(7, { code: 'payment-declined', message: 'no' }).status).toBe(402)
  expect(refusedResponse(7, { code: 'deadline', message: 'late' })).toMatchObject({
    status: 409,
    body: { code: 'order-cancelled' },
  })
})
