import { describe, expect, it } from 'vitest'
import { shareOf } from './definition.ts'
import { isSuspiciouslyEmpty, readPayload } from './payload.ts'

const rollout = (percent: unknown, more = {}) => ({
  name: 'flexibleRollout',
  parameters: { rollout: percent, stickiness: 'default', ...more },
  constraints: [],
})
const feature = (strategies: object[], more = {}) =>
  readPayload({ features: [{ name: 'inventory-writes', enabled: true, strategies, ...more }] }).features[0]!

describe('the share of a flag', () => {
  it('is what its one rollout says', () => {
    expect(shareOf(feature([rollout('0')]))).toBe(0)
    expect(shareOf(feature([rollout('37')]))).toBe(37)
    expect(shareOf(feature([rollout(100)]))).toBe(100)
  })

  it('is 0 when disabled and 100 without strategies, as the SDK decides', () => {
    expect(shareOf(feature([rollout('100')], { enabled: false }))).toBe(0)
    expect(shareOf(feature([]))).toBe(100)
    expect(shareOf(feature([{ name: 'default', constraints: [] }]))).toBe(100)
  })

  it('is unknown where one number cannot say it, so that nobody acts on it', () => {
    expect(shareOf(feature([{ ...rollout('100'), constraints: [{ contextName: 'userId' }] }]))).toBeNull()
    expect(shareOf(feature([{ ...rollout('100'), segments: [1] }]))).toBeNull()
    expect(shareOf(feature([rollout('100', { stickiness: 'userId' })]))).toBeNull()
    expect(shareOf(feature([rollout('10'), rollout('20')]))).toBeNull()
    expect(shareOf(feature([rollout('100')], { dependencies: [{ feature: 'other' }] }))).toBeNull()
    expect(shareOf(feature([{ name: 'userWithId', parameters: { userIds: '1' } }]))).toBeNull()
  })
})

describe('a payload', () => {
  it('is refused whole when a part of it cannot be read', () => {
    expect(() => readPayload({})).toThrow('no list of features')
    expect(() => readPayload({ features: [{ name: 'half', enabled: 'yes', strategies: [] }] })).toThrow('half')
  })

  it('without flags is believed only where none were known', () => {
    const some = { features: [feature([])] }
    expect(isSuspiciouslyEmpty({ features: [] }, some)).toBe(true)
    expect(isSuspiciouslyEmpty({ features: [] }, undefined)).toBe(false)
    expect(isSuspiciouslyEmpty(some, some)).toBe(false)
  })
})
