import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createTestDatabase } from '../../../tests/support/infra.ts'
import { banyan } from '../mover/testing/mover-process.ts'

const role = `goods_${randomBytes(4).toString('hex')}`
let database: Awaited<ReturnType<typeof createTestDatabase>>
let control: pg.Client
beforeEach(async () => {
  database = await createTestDatabase()
  control = new pg.Client({ connectionString: database.url })
  await control.connect()
  await control.query(`create role ${role}`)
})
afterEach(async () => {
  await control.query(`drop owned by ${role}; drop role ${role}`)
  await control.end()
  await database.drop()
})

const init = (watchers: string, ...more: string[]) =>
  banyan(
    { PATH: process.env.PATH, CONTROL_DATABASE_URL: database.url, BANYAN_PLANS: import.meta.dirname },
    ...['init', '--watchers', watchers, ...more],
  )
const made = async () => (await control.query("select to_regnamespace('banyan') as made")).rows[0].made

it('names the services that a role may announce, and asks for them: without, it would fall silent', async () => {
  expect(await init(role)).toMatchObject({ code: 2, err: expect.stringContaining(`"${role}=goods-service"`) })
  expect(await init(`${role}=goods-service, ${role}=shelf-service`)).toMatchObject({ code: 0 })
  const announces = async () =>
    (await control.query('select service from banyan.announcers where role = $1 order by 1', [role])).rows
  expect(await announces()).toEqual([{ service: 'goods-service' }, { service: 'shelf-service' }])
  expect(await init(`${role}=`)).toMatchObject({ code: 0 })
  expect(await announces()).toEqual([])
})

it('refuses a role that the server does not have, and makes nothing', async () => {
  expect(await init(`${role}=goods-service, ${role}_gone=`)).toMatchObject({
    code: 2,
    err: expect.stringContaining(`the server has no "${role}_gone"`),
  })
  expect(await made()).toBeNull()
})

it('shows in a dry run what each role would get, and makes nothing', async () => {
  const { code, out } = await init(`${role}=goods-service`, '--proxies', `${role}_proxy`, '--dry-run')
  expect(code).toBe(0)
  expect(out).toContain(`for ${role}: kit/ownership/watcher.sql; it may announce goods-service`)
  expect(out).toContain(`for ${role}_proxy: kit/ownership/watcher.sql and proxy.sql`)
  expect(await made()).toBeNull()
})
