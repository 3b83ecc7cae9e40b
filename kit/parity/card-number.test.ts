import { expect, it } from 'vitest'
import { replaceCardNumbers } from './card-number.ts'

const masked = (text: string) => replaceCardNumbers(text, () => '‹card›')

it.each([
  ['4111111111111111', '‹card›'],
  ['4111 1111 1111 1111', '‹card›'],
  ['pay 3782-822463-10005, soon', 'pay ‹card›, soon'],
  ['4222222222222', '‹card›'],
  ['4111111111111111 5555555555554444', '‹card› ‹card›'],
  // Digits that stand beside it hide none.
  ['order 12 4111 1111 1111 1111 123', 'order 12 ‹card› 123'],
  // 30 4111 1111 1111 adds up as well.
  ['2026-11-30 4111-1111-1111-1111 99', '2026-11-‹card› 99'],
])('finds the card number in %s', (text, without) => {
  expect(masked(text)).toBe(without)
})

it.each([
  '4111111111111112',
  '1764486508123',
  '4239187654000',
  '9007199254740991',
  '00000000-0000-1000-8000-000000000000',
  '41111111-1111-1111-1111-111111111111',
  '/api/orders/1234567890123/lines/4',
  '2026-11-30 12-00-00',
])('leaves what is none: %s', (text) => {
  expect(masked(text)).toBe(text)
})
