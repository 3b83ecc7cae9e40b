import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { Bag, type Bagged } from './bag.ts'

const member = (name: string) => ({ name, place: -1 })

describe('a bag', () => {
  it('holds what was added and not deleted, in whatever order they leave', () => {
    const bag = new Bag<ReturnType<typeof member>>()
    const all = Array.from({ length: 6 }, (_, index) => member(String(index)))
    for (const one of all) bag.add(one)
    for (const index of [0, 5, 2, 2]) bag.delete(all[index]!)
    bag.add(all[0]!)
    const names = bag.snapshot().map((one) => one.name)
    expect(names.sort()).toEqual(['0', '1', '3', '4'])
    for (const one of all) bag.delete(one)
    expect(bag.size).toBe(0)
  })

  it('does not mind members that were never in it, or that are in it no more while another has their place', () => {
    const bag = new Bag<ReturnType<typeof member>>()
    const [first, second, third] = [member('first'), member('second'), member('third')]
    bag.add(first)
    bag.add(second)
    bag.delete(first)
    bag.delete(first)
    bag.delete(third)
    expect(bag.snapshot()).toEqual([second])
  })

  it('can be emptied while it is looked through', () => {
    const bag = new Bag<ReturnType<typeof member>>()
    for (const name of ['a', 'b', 'c']) bag.add(member(name))
    const seen: string[] = []
    for (const one of bag.snapshot()) {
      seen.push(one.name)
      bag.delete(one)
    }
    expect(seen).toEqual(['a', 'b', 'c'])
    expect(bag.size).toBe(0)
  })

  it('leaves nothing behind for the collector to keep: 20,000 pass, 32 at a time, and none of them grows old', () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void
    const old = () => getHeapSpaceStatistics().find((space) => space.space_name === 'old_space')!.space_used_size
    const bag = new Bag<Bagged & { data: object[] }>()
    const present: (Bagged & { data: object[] })[] = []
    const pass = (count: number) => {
      for (let n = 0; n < count; n += 1) {
        const made = { place: -1, data: Array.from({ length: 20 }, () => ({ n })) }
        bag.add(made)
        present.push(made)
        if (present.length > 32) bag.delete(present.shift()!)
        if (n % 50 === 0) collect({ type: 'minor' })
      }
    }
    pass(1_000)
    collect({ type: 'major' })
    const before = old()
    pass(20_000)
    // A Set in its place keeps several MiB of them.
    expect(old() - before).toBeLessThan(1024 * 1024)
  })
})
