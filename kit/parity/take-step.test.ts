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

it('looks at what else was done where it is told to', async () => {
  const seen = async (look: boolean) => (await takeStep(side, read, new Map(), look)).document
  expect(await seen(false)).not.toHaveProperty('rows')
  expect(await seen(true)).toMatchObject(ADDED)
})

it('says what was to be captured and was not there', async () => {
  const variables: Variables = new Map()
  const { missed } = await takeStep(side, { ...read, capture: { a: '$.body.id', b: '$.body.idd' } }, variables, true)
  expect(missed).toEqual(['nothing stands at $.body.idd to be captured as b'])
  expect(variables.get('a')).toBe(7)
})
