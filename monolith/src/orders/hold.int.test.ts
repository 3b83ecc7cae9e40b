import { fromPg, installControl } from '@banyan/kit/ownership'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { createTestDatabase } from '../../../tests/support/infra.ts'
import { type Sandbox, startSandbox } from '../testing/sandbox.ts'
import { startTestShop, type TestShop } from '../testing/shop.ts'

let control: pg.Client
let database: Awaited<ReturnType<typeof createTestDatabase>>
let sandbox: Sandbox
let shop: TestShop

beforeAll(async () => {
  database = await createTestDatabase()
  control = new pg.Client({ connectionString: database.url })
  await control.connect()
  await installControl(fromPg(control))
  await control.query("insert into banyan.contexts (context) values ('inventory'), ('orders'), ('payments')")
  sandbox = await startSandbox()
  shop = await startTestShop({ ...sandbox.env, CONTROL_DATABASE_URL: database.url })
})
afterEach(() => control.query('update banyan.contexts set hold = false'))
afterAll(async () => {
  await shop?.close()
  await sandbox?.close()
  await control?.end()
  await database?.drop()
})

const until = async (seen: () => Promise<boolean>): Promise<void> => {
  const end = Date.now() + 15_000
  while (!(await seen())) {
    if (Date.now() > end) throw new Error('not seen within 15 s')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
const drained = async (context: string) => {
  const { rows } = await control.query(
    `select s.drained and s.epoch_seen >= c.epoch as done from banyan.subscribers s join banyan.contexts c using (context)
     where context = $1 and kind = 'worker'`,
    [context],
  )
  return rows.length === 1 && rows[0].done
}

it('stores the step in hand when inventory is held, answers 202 at once, says drained, and goes on after the release', async () => {
  const { token } = await shop.customer()
  await until(async () => (await control.query('select 1 from banyan.subscribers')).rows.length > 0)
  // The charge is on its way, and answered late: the step in hand, when the hold comes.
  const from = Date.now()
  const placing = shop.order(token, 'held', { paymentToken: 'tok_timeout' })
  await until(async () => (await sandbox.ledger()).length > 0)
  await control.query("update banyan.contexts set hold = true where context = 'inventory'")
  const answer = await placing
  expect([answer.status, answer.body.status]).toEqual([202, 'pending'])
  expect(Date.now() - from).toBeLessThan(1_900)
  await until(() => drained('inventory'))
  const saga = () =>
    shop
      .db('sagas')
      .where({ id: `place-${answer.body.id}` })
      .first()
  const { history } = await saga()
  expect(history.at(-1)).toMatchObject({ step: 'charge', what: 'failed' })
  // However long the hold: not one step more.
  await new Promise((resolve) => setTimeout(resolve, 700))
  expect((await saga()).history).toEqual(history)

  await control.query("update banyan.contexts set hold = false where context = 'inventory'")
  await until(async () => (await shop.call('GET', answer.body.statusUrl, { token })).body.status === 'confirmed')
  expect((await sandbox.ledger()).map((entry) => entry.kind)).toEqual(['charge'])
})

it.each(['orders', 'payments', 'inventory'])(
  'calls nobody for an order while %s is held, and goes on after the release',
  async (context) => {
    const { token } = await shop.customer()
    await control.query('update banyan.contexts set hold = true where context = $1', [context])
    await until(() => drained(context))
    const charges = (await sandbox.ledger()).length
    const { status, body } = await shop.order(token, context)
    expect([status, body.status, (await sandbox.ledger()).length]).toEqual([202, 'pending', charges])
    await control.query('update banyan.contexts set hold = false')
    await until(async () => (await shop.call('GET', body.statusUrl, { token })).body.status === 'confirmed')
  },
)
