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

it('a mover that does not inherit the rights of the owner is told so: it could not act on the table', async () => {
  const { lane, moverRole, sourceAdmin } = fixture
  const act = () => lane.from.query('alter table public.items disable trigger "!!banyan_fence"')
  await act()
  const { rows } = await sourceAdmin.query("select tableowner as owner from pg_tables where tablename = 'items'")
  const { owner } = rows[0]
  // A grant of PostgreSQL 16 keeps what the role was when it was made.
  await sourceAdmin.query(
    `alter role ${moverRole} noinherit; revoke ${owner} from ${moverRole}; grant ${owner} to ${moverRole}`,
  )
  await expect(act()).rejects.toThrow('must be owner of table items')
  expect((await faultsOf()).map(({ message }) => message)).toEqual([
    'the mover has not the rights of the owner of old.items',
    'the mover has not the rights of the owner of new.items',
  ])
})
