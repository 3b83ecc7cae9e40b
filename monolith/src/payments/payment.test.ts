import { expect, it } from 'vitest'
import { authorize, cancelled, capture, decline, refund, refundable, voidOvertaken, voidUnasked } from './payment.ts'

const captured = capture(authorize(500))

it('captures what was authorized', () => {
  expect(captured).toEqual({ status: 'captured', amountCents: 500, refundedCents: 0 })
})

it('does not capture again what was given back while the answer was late', () => {
  const refunded = cancelled(authorize(500), { status: 'approved', amountCents: 500, refundedCents: 500 })
  expect(capture(refunded)).toEqual(refunded)
  expect(decline(refunded)).toEqual(refunded)
})

it('never captures a payment that was cancelled before it was made', () => {
  expect(capture(voidUnasked()).status).toBe('voided')
})

it('is voided by a cancellation that the provider heard of first, unless it has come to an end by then', () => {
  expect(voidOvertaken(authorize(500))).toEqual({ status: 'voided', amountCents: 500, refundedCents: 0 })
  for (const ended of [captured, refund(captured, 500), decline(authorize(500))])
    expect(voidOvertaken(ended)).toEqual(ended)
})

it('gives back in parts, and is refunded when nothing is left', () => {
  const part = refund(captured, 200)
  expect(part).toMatchObject({ status: 'captured', refundedCents: 200 })
  expect(refundable(part)).toBe(300)
  expect(refund(part, 300)).toMatchObject({ status: 'refunded', refundedCents: 500 })
  expect(() => refund(part, 301)).toThrow(RangeError)
})

it('has nothing to give back of what was never captured', () => {
  for (const payment of [authorize(500), decline(authorize(500)), voidUnasked()]) expect(refundable(payment)).toBe(0)
})

it('takes the word of the provider when a charge of unknown outcome is cancelled', () => {
  const provider = { amountCents: 500, refundedCents: 0 }
  expect(cancelled(authorize(500), { ...provider, status: 'declined' }).status).toBe('declined')
  expect(cancelled(authorize(500), { ...provider, status: 'voided' }).status).toBe('voided')
})
