import { expect, it } from 'vitest'
import { type Known, readFlip } from './flip.ts'

/** What a series of looks at the flag makes wishes of. */
const wishes = (shares: (number | null)[]) => {
  let known: Known = null
  return shares.map((share) => {
    const flip = readFlip(known, share)
    known = flip.known
    return flip.wish
  })
}

it.each([
  ['what it says at start-up is not a wish', [100, 100], [null, null]],
  ['a flip is one wish', [0, 100, 100, 0], [null, 'switch', null, 'rollback']],
  ['a half-on flag is none, the end of the way is', [0, 50, 100], [null, null, 'switch']],
  ['a flag that went missing or was archived wishes nothing when it is back', [0, null, 100], [null, null, null]],
] as const)('%s', (_, shares, expected) => {
  expect(wishes([...shares])).toEqual(expected)
})
