import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTestDatabase } from '../../tests/support/infra.ts'
import { createLogger } from '../service/index.ts'
import { keepSession } from './session.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
const within = { timeout: 5_000, interval: 10 }
let db: { url: string; drop(): Promise<void> }
let control: pg.Client

beforeEach(async () => {
  db = await createTestDatabase()
  control = new pg.Client({ connectionString: db.url })
  await control.connect()
  await control.query('create table here (id int primary key)')
})

afterEach(async () => {
  await control.end()
  await db.drop()
})

const rows = async () => (await control.query('select id from here')).rows

describe('a kept session', () => {
  it('says its last word last, although the work is in full swing', async () => {
    const keeper = keepSession({
      connectionString: db.url,
      name: 'busy',
      logger,
      async work({ query }) {
        for (;;) await query('insert into here values (1) on conflict do nothing')
      },
    })
    await vi.waitFor(async () => expect(await rows()).toHaveLength(1), within)
    await keeper.close((query) => query('delete from here'))
    await vi.waitFor(async () => {
      const open = await control.query("select 1 from pg_stat_activity where application_name = 'busy'")
      expect(open.rows).toEqual([])
    }, within)
    expect(await rows()).toEqual([])
  })

  it('begins its work again on a new connection, as often as the old one is lost', async () => {
    const begun = vi.fn()
    const keeper = keepSession({
      connectionString: db.url,
      name: 'lost',
      logger,
      async work({ idle }) {
        begun()
        await idle(60_000)
      },
    })
    for (const times of [1, 2, 3]) {
      await vi.waitFor(() => expect(begun).toHaveBeenCalledTimes(times), within)
      await control.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lost'")
    }
    await keeper.close()
  })

  it('begins again when its work fails, and lets go of the connection that failed', async () => {
    let begun = 0
    const keeper = keepSession({
      connectionString: db.url,
      name: 'failing',
      logger,
      async work({ query, idle }) {
        begun++
        if (begun < 4) await query('select 1 / 0')
        await idle(60_000)
      },
    })
    await vi.waitFor(() => expect(begun).toBe(4), within)
    await vi.waitFor(async () => {
      const open = await control.query("select 1 from pg_stat_activity where application_name = 'failing'")
      expect(open.rows).toHaveLength(1)
    }, within)
    await keeper.close()
  })
})
