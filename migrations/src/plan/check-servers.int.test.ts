import pg from 'pg'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { postgresAdminUrl } from '../../../tests/support/infra.ts'
import { createLane, type LaneFixture, ONE_AT_A_TIME } from '../data/testing/lane-fixture.ts'
import { underToken } from '../data/token.ts'
import { checkServers } from './check-servers.ts'
import { parsePlan } from './read.ts'

const PLAN = parsePlan('plan.yaml', 'context: shop\ndatabases: { monolith: old, service: new }\ntables: [items]\n')
let fixture: LaneFixture

beforeEach(async () => {
  fixture = await createLane({ ddl: 'create table items (id int primary key)', tables: ['items'] })
})
afterEach(() => fixture.drop())

const mends = async () => {
  const findings = await checkServers(PLAN, { monolith: fixture.lane.from, service: fixture.lane.to })
  return findings.filter(({ ok }) => !ok).map(({ remedy }) => remedy)
}
const admin = async (sql: string) => {
  const client = new pg.Client({ connectionString: postgresAdminUrl() })
  await client.connect()
  await client.query(`${ONE_AT_A_TIME}; ${sql}`).finally(() => client.end())
}

it.each([
  ['session_replication_role', { applying: true }],
  ['deadlock_timeout', { lockTimeoutMs: 100 }],
])('a mover that may not set %s fails at its work, and is told how to mend it', async (parameter, options) => {
  const work = () => underToken(fixture.lane.to, fixture.lane, 'share', async () => 'done', options)
  expect([await work(), await mends()]).toEqual(['done', []])
  await admin(`revoke set on parameter ${parameter} from ${fixture.moverRole}`)
  await expect(work()).rejects.toThrow(`permission denied to set parameter "${parameter}"`)
  const mend = `GRANT SET ON PARAMETER ${parameter} TO ${fixture.moverRole}`
  expect(await mends()).toEqual([mend, mend])
  await admin(mend)
  expect([await work(), await mends()]).toEqual(['done', []])
})
