import { expect, it } from 'vitest'
import type { Observation } from './observation.ts'
import type { Side } from './side.ts'
import type { Step, Variables } from './step.ts'
import { takeStep } from './take-step.ts'

const ADDED = { rows: { goods: { added: 1, changed: [], deleted: [] } }, events: [] }
const side = {
  name: 'left',
  ask: async () => ({ status: 200, headers: {}, body: { id: 7 } }) as unknown as Observation,
  effects: { begin: async () => undefined, collect: async () => ADDED, close: async () => undefined },
} as unknown as Side
const read: Step = { method: 'get', path: '/goods' }

it('looks at what a write did at once, and at what reads did when no write comes after them', async () => {
  const seen = async (step: Step, last: boolean) => (await takeStep(side, step, new Map(), last)).document
  expect(await seen({ method: 'post', path: '/goods' }, false)).toMatchObject(ADDED)
  expect(await seen(read, false)).not.toHaveProperty('rows')
  expect(await seen(read, true)).toMatchObject(ADDED)
})

it('says what was to be captured and was not there', async () => {
  const variables: Variables = new Map()
  const { missed } = await takeStep(side, { ...read, capture: { a: '$.body.id', b: '$.body.idd' } }, variables, true)
  expect(missed).toEqual(['nothing stands at $.body.idd to be captured as b'])
  expect(variables.get('a')).toBe(7)
})
