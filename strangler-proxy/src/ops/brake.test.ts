import { expect, it } from 'vitest'
import { createBrake } from './brake.ts'

it('lets an address that was wrong wait twice as long each time, half a minute at most, and no other one', () => {
  let now = 0
  const brake = createBrake({ mostMs: 30_000, now: () => now })
  const waits: number[] = []
  for (let tries = 0; tries < 9; tries += 1) {
    expect(brake.begin('a')).toBe(0)
    now += 2_000
    brake.ended('a', false)
    const wait = brake.begin('a')
    waits.push(wait)
    now += wait
  }
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
  expect(brake.begin('b')).toBe(0)
})

it('says without an attempt how long one would wait', () => {
  let now = 0
  const brake = createBrake({ mostMs: 30_000, now: () => now })
  expect([brake.waitMs('a'), brake.begin('a'), brake.waitMs('a')]).toEqual([0, 0, 500])
  brake.ended('a', false)
  now = 200
  expect([brake.waitMs('a'), brake.begin('a'), brake.waitMs('b')]).toEqual([300, 300, 0])
})

it('lets one attempt of an address after the other, so that many at once are no way around it', () => {
  const brake = createBrake({ mostMs: 30_000, now: () => 0 })
  expect([brake.begin('a'), brake.begin('a'), brake.begin('a')]).toEqual([0, 500, 500])
})

it('lets who was right go on at once, forgets what was wrong before only after a quarter of an hour', () => {
  let now = 0
  const brake = createBrake({ mostMs: 30_000, now: () => now })
  const wrong = () => {
    expect(brake.begin('a')).toBe(0)
    brake.ended('a', false)
    return brake.begin('a')
  }
  expect(wrong()).toBe(500)
  now += 500
  expect(brake.begin('a')).toBe(0)
  brake.ended('a', true)
  expect(wrong()).toBe(1_000)
  now += 16 * 60_000
  expect(wrong()).toBe(500)
})

it('remembers for a quarter of an hour, counted from when the wait was over', () => {
  for (const [later, wait] of [
    [15 * 60_000 - 1, 1_000],
    [15 * 60_000, 500],
  ] as const) {
    let now = 0
    const brake = createBrake({ mostMs: 30_000, now: () => now })
    brake.begin('a')
    brake.ended('a', false)
    now = 500 + later
    expect(brake.begin('a')).toBe(0)
    brake.ended('a', false)
    expect(brake.begin('a')).toBe(wait)
  }
})

it('forgets nobody for who tries again, and not who tries again for those who came in between', () => {
  let now = 0
  const brake = createBrake({ mostMs: 30_000, now: () => now })
  const wrong = (address: string) => {
    brake.begin(address)
    brake.ended(address, false)
  }
  for (let address = 0; address < 10_000; address += 1) wrong(String(address))
  now = 500
  wrong('5')
  wrong('0')
  expect(brake.begin('0')).toBe(1_000)
  // As many as it takes to forget all that were older than it was at first.
  for (const newcomer of ['a', 'b', 'c', 'd', 'e']) wrong(newcomer)
  expect(brake.begin('5')).toBe(1_000)
})

it('remembers the latest ten thousand addresses, and no more', () => {
  const brake = createBrake({ mostMs: 30_000, now: () => 0 })
  for (let address = 0; address <= 10_000; address += 1) {
    brake.begin(String(address))
    brake.ended(String(address), false)
  }
  expect([brake.begin('0'), brake.begin('2'), brake.begin('10000')]).toEqual([0, 500, 500])
})
