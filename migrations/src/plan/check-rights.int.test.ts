import { afterEach, beforeEach, expect, it } from 'vitest'
import { createLane, type LaneFixture } from '../data/testing/lane-fixture.ts'
import { checkTables } from './check-tables.ts'
import { parsePlan } from './read.ts'

const PLAN = parsePlan('plan.yaml', 'context: shop\ndatabases: { monolith: old, service: new }\ntables:\n  - items\n')
let fixture: LaneFixture

beforeEach(async () => {
  fixture = await createLane({ ddl: 'create table items (id int primary key)', tables: ['items'] })
})
afterEach(() => fixture.drop())

const faultsOf = async () => {
  const findings = await checkTables(PLAN, { monolith: fixture.lane.from, service: fixture.lane.to })
  return findings.filter(({ ok }) => !ok)
}

it.each([
  ['sourceAdmin', 'old.items'],
  ['targetAdmin', 'new.items'],
] as const)('a table of %s whose policies hide rows from the mover is refused', async (side, where) => {
  const change = (sql: string) => fixture[side].query(`alter table items ${sql} row level security`)
  await change('enable')
  expect(await faultsOf()).toEqual([])
  await change('force')
  const remedy = expect.stringContaining('NO FORCE ROW LEVEL SECURITY')
  const message = `${where} has row level security, and its policies apply to the mover`
  expect(await faultsOf()).toEqual([{ check: 'tables', ok: false, message, remedy, line: 4 }])
  await fixture[side].query(`alter role ${fixture.moverRole} bypassrls`)
  expect(await faultsOf()).toEqual([])
})
