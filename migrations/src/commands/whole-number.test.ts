import { expect, it } from 'vitest'
import { Refused } from './refused.ts'
import { wholeNumber } from './whole-number.ts'

it.each(['', '-1', '1d', 'abc', '1.5', '1e3', ' 5', '0'])('%j is no whole number from 1 on', (text) => {
  expect(() => wholeNumber('--limit', text, 1)).toThrow(Refused)
  expect(() => wholeNumber('--limit', text, 1)).toThrow(`--limit to be a whole number from 1 on; it is "${text}"`)
})

it('takes digits', () => {
  expect([wholeNumber('--quiet', '0', 0), wholeNumber('--quiet', '86400', 0)]).toEqual([0, 86_400])
})
