import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTestDatabase } from '../../tests/support/infra.ts'
import { createLogger } from '../service/index.ts'
import { fromPg, installControl, listInstances, registerInstance } from './index.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
const within = { timeout: 5_000, interval: 20 }
let db: { url: string; drop(): Promise<void> }
let control: pg.Client
let open: { close(): Promise<void> }[]

beforeEach(async () => {
  open = []
  db = await createTestDatabase()
  control = new pg.Client({ connectionString: db.url })
  await control.connect()
  await installControl(fromPg(control))
})

afterEach(async () => {
  for (const one of open) await one.close()
  await control.end()
  await db.drop()
})

function announce(service: string, url: string) {
  const id = `${service}-${randomUUID()}`
  const registered = registerInstance({ connectionString: db.url, service, id, url, logger })
  open.push(registered)
  return { id, ...registered }
}
const list = async (options = {}) =>
  (await listInstances(fromPg(control), options)).map(({ service, url }) => `${service} ${url}`)

describe('instances', () => {
  it('are listed while they announce themselves, and gone when they close', async () => {
    const one = announce('inventory-service', 'http://a')
    announce('inventory-service', 'http://b')
    announce('user-service', 'http://c')
    await vi.waitFor(async () => expect(await list()).toHaveLength(3), within)
    expect((await list({ service: 'inventory-service' })).sort()).toEqual([
      'inventory-service http://a',
      'inventory-service http://b',
    ])
    await one.close()
    expect(await list({ service: 'inventory-service' })).toEqual(['inventory-service http://b'])
  })

  it('that were killed are not listed once their heartbeat is old', async () => {
    await control.query(
      "insert into banyan.instances values ('inventory-service', 'dead', 'http://dead', now(), now() - interval '6 s')",
    )
    expect(await list()).toEqual([])
    expect(await list({ freshMs: 60_000 })).toEqual(['inventory-service http://dead'])
  })

  it('announce themselves again after their backend was killed', async () => {
    announce('inventory-service', 'http://a')
    await vi.waitFor(async () => expect(await list()).toHaveLength(1), within)
    await control.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'banyan instance%' and datname = current_database()",
    )
    await control.query('delete from banyan.instances')
    await vi.waitFor(async () => expect(await list()).toEqual(['inventory-service http://a']), within)
  })
})
