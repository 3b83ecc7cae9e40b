import { afterEach, beforeEach, expect, it } from 'vitest'
import { createLane, type LaneFixture } from '../data/testing/lane-fixture.ts'
import { examine } from './doctor.ts'
import { parsePlan } from './read.ts'

const PLAN = `context: shop
databases: { monolith: old, service: new }
tables:
  - items
sequences:
  - numbers
`
let fixture: LaneFixture
beforeEach(async () => {
  fixture = await createLane({
    ddl: `create sequence numbers; create sequence codes; create view sums as select 1 as one;
      create table items (id int generated always as identity primary key, code bigint default nextval('codes'))`,
    tables: ['items'],
  })
})
afterEach(() => fixture.drop())

const findings = async (plan = PLAN) => {
  const sides = { monolith: fixture.lane.from, service: fixture.lane.to }
  return (await examine(parsePlan('plan.yaml', plan), sides, null)).filter(({ check }) => check === 'sequences')
}
const faults = async (plan?: string) =>
  (await findings(plan)).filter(({ ok }) => !ok).map(({ message, line }) => [message, line])

it('looks at those of the plan and at those of the tables, on both sides', async () => {
  const names = ['numbers', 'codes', 'items_id_seq']
  expect((await findings()).map(({ ok, message }) => [ok, message])).toEqual(
    ['old', 'new'].flatMap((side) => names.map((name) => [true, `${side}.${name}`])),
  )
})

it('refuses, with the line of the plan, what is not there and what is no sequence', async () => {
  await fixture.targetAdmin.query('drop sequence numbers')
  expect(await faults()).toEqual([['new.numbers does not exist', 6]])
  expect(await faults(PLAN.replace('- numbers', '- sums'))).toEqual([
    ['old.sums is not a sequence', 6],
    ['new.sums is not a sequence', 6],
  ])
})

it.each(['select', 'update'])('refuses a sequence on which the mover has not the right to %s', async (right) => {
  const others = right === 'select' ? 'update' : 'select'
  for (const side of [fixture.sourceAdmin, fixture.targetAdmin])
    await side.query(`alter sequence numbers owner to current_user; alter sequence codes owner to current_user;
      grant ${others} on sequence numbers, codes to ${fixture.moverRole}`)
  const message = (where: string) => `${where} may not be read and set by the mover`
  expect(await faults()).toEqual(
    ['old', 'new'].flatMap((side) => [
      [message(`${side}.numbers`), 6],
      [message(`${side}.codes`), 4],
    ]),
  )
})

it('refuses a sequence in a schema that the mover may not use, whatever it may do with the sequence', async () => {
  for (const side of [fixture.sourceAdmin, fixture.targetAdmin])
    await side.query(`create schema hidden; alter sequence codes set schema hidden;
      grant all on sequence hidden.codes to ${fixture.moverRole}`)
  expect(await faults()).toEqual(
    ['old', 'new'].map((side) => [`${side}.hidden.codes may not be read and set by the mover`, 4]),
  )
})
