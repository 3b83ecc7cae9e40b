import { describe, expect, it } from 'vitest'
import { normaliseLines, sameLines, shortagesOf, unitsBack } from './reservation.ts'

describe('lines of a reservation', () => {
  it('are one a product, in the order of the ids', () => {
    const lines = [
      { productId: 7, quantity: 1 },
      { productId: 2, quantity: 3 },
      { productId: 7, quantity: 4 },
    ]
    expect(normaliseLines(lines)).toEqual([
      { productId: 2, quantity: 3 },
      { productId: 7, quantity: 5 },
    ])
  })

  it('are the same only with the same products and quantities', () => {
    const lines = [{ productId: 1, quantity: 2 }]
    expect(sameLines(lines, [{ quantity: 2, productId: 1 }])).toBe(true)
    expect(sameLines(lines, [{ productId: 1, quantity: 3 }])).toBe(false)
    expect(sameLines(lines, [...lines, { productId: 2, quantity: 1 }])).toBe(false)
  })

  it('are short where less is left than asked for; what has no stock at all is somebody else’s refusal', () => {
    const lines = [
      { productId: 1, quantity: 2 },
      { productId: 2, quantity: 2 },
      { productId: 3, quantity: 2 },
    ]
    const left = new Map([
      [1, 2],
      [2, 1],
    ])
    expect(shortagesOf(lines, left)).toEqual([{ productId: 2, requested: 2, available: 1 }])
  })

  it('give back what they hold or have sold, once', () => {
    expect((['held', 'confirmed', 'released', 'expired'] as const).map(unitsBack)).toEqual([
      'from-reserved',
      'from-sold',
      'none',
      'none',
    ])
  })
})
