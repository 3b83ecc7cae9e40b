import { expect, it } from 'vitest'
import { copyBrake } from './copy-brake.ts'

const LIMITS = { lagMs: 5_000, load: 25 }

it.each([
  ['a quiet source', { lagMs: 300, atWork: 2 }, null],
  ['both at their limits', { lagMs: 5_000, atWork: 25 }, null],
  ['a lag that was never seen', { lagMs: null, atWork: 0 }, null],
  ['a busy source', { lagMs: 300, atWork: 26 }, /^the source to be less busy: 26 sessions are at work, more than 25$/],
  ['changes that come late', { lagMs: 5_100, atWork: 0 }, /^changes to catch up: the lag is 5\.1 s, more than 5\.0 s$/],
  ['both', { lagMs: 9_000, atWork: 99 }, /less busy.*; changes to catch up/],
] as const)('%s', (_, seen, waitsFor) => {
  const found = copyBrake(seen, LIMITS)
  if (waitsFor === null) expect(found).toBeNull()
  else expect(found).toMatch(waitsFor)
})
