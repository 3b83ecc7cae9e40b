import { describe, expect, it } from 'vitest'
import { findForm, leaveOut } from './shorten.ts'
import type { Sequence, Step } from './step.ts'

const read = (path: string, more: Partial<Step> = {}): Step => ({ method: 'GET', path, ...more })
const make = (name: string, more: Partial<Step> = {}): Step => ({
  ...{ method: 'POST', path: `/${name}`, capture: { [name]: '$.body.id' }, expect: { status: 201 } },
  ...more,
})
const scenario = (...steps: Step[]): Sequence => ({ name: 'a long day', kind: 'scenario', steps })
const paths = (form: Sequence | undefined) => form?.steps.map(({ path }) => path)

/** Runs nothing: what differs is said by the paths that are asked. */
async function shortest(sequence: Sequence, differs: (asked: string[]) => boolean, tries = 40) {
  const tried: string[][] = []
  const found = await leaveOut(sequence, { end: sequence.steps.length, tries }, async ({ steps }) => {
    tried.push(steps.map(({ path }) => path))
    return differs(tried.at(-1)!)
  })
  return { found, tried }
}

describe('a scenario that differs', () => {
  const day = scenario(
    read('/a'),
    make('shop'),
    read('/b'),
    make('item', { body: { shop: '{{shop}}' } }),
    read('/items/{{item}}'),
    make('cart'),
    read('/c'),
    read('/items/{{item}}/price', { expect: { 'body.price': 7 } }),
  )

  it('is shortened to the step that differs and those whose answers it needs', async () => {
    const { found, tried } = await shortest(day, () => true)
    expect(paths(found)).toEqual(['/shop', '/item', '/items/{{item}}/price'])
    expect(found?.name).toBe('a long day: steps 2,4,8')
    expect(tried).toHaveLength(2)
  })

  it('keeps what it does not need by name, but by what it does', async () => {
    const { found } = await shortest(day, (asked) => asked.includes('/cart') && asked.includes('/b'))
    expect(paths(found)).toEqual(['/shop', '/b', '/item', '/cart', '/items/{{item}}/price'])
  })

  it('is gone through once more when a step went: another may go now', async () => {
    const odd = scenario(read('/x'), read('/a'), read('/b'), read('/c'), read('/d'))
    const { found } = await shortest(
      odd,
      (asked) => asked.includes('/x') && asked.includes('/b') && (asked.includes('/c') || !asked.includes('/a')),
    )
    expect(paths(found)).toEqual(['/x', '/b', '/d'])
  })

  it('never runs a step without what it uses', async () => {
    const { tried } = await shortest(day, (asked) => asked.includes('/cart'))
    expect(tried.length).toBeGreaterThan(4)
    for (const asked of tried) {
      if (asked.some((path) => path.includes('{{item}}'))) expect(asked).toContain('/item')
      if (asked.includes('/item')) expect(asked).toContain('/shop')
    }
  })

  it('loses what was expected after all the steps, and finds itself again by its name', async () => {
    const { found } = await shortest(day, () => true)
    expect(found?.steps.map(({ expect: wanted }) => wanted)).toEqual([undefined, undefined, undefined])
    expect(findForm([day], found!.name)).toEqual(found)
    expect(findForm([day], 'a long day')).toBe(day)
    expect(findForm([day], `${found!.name}: steps 3`)).toMatchObject({
      name: 'a long day: steps 8',
      steps: [found!.steps[2]],
    })
    for (const name of ['a long day: steps 9', 'a long day: steps 0', 'a long night: steps 1'])
      expect(findForm([day], name)).toBeUndefined()
  })

  it('is tried so often and no more, and shown as it was where it does not differ again', async () => {
    const { found, tried } = await shortest(day, (asked) => asked.length === 8, 5)
    expect([tried.length, found]).toEqual([5, day])
    expect((await shortest(day, () => false)).found).toBeUndefined()
    expect((await shortest(scenario(read('/a')), () => true)).tried).toEqual([['/a']])
  })
})
