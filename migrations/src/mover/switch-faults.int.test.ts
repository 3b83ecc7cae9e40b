import { armFailPoints } from '@banyan/kit/service'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { askAbort, askFor } from '../control/intents.ts'
import { someoneLeads } from '../control/leader.ts'
import { createWorld, until, type World } from './testing/world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld({ rows: 50 })
  world.start({ budgetMs: 60_000 })
  await world.makeReady()
})
afterEach(() => armFailPoints('').disarm())
afterAll(() => world.drop())

/** How this intent's attempts ended, in their order. */
async function attemptsOf(intent: bigint): Promise<string[]> {
  const { rows } = await world.db.control.query('select result from banyan.attempts where intent = $1 order by token', [
    String(intent),
  ])
  return rows.map((row) => row.result)
}

it.each([
  'before-begin',
  'after-begin',
  'after-raise-target',
  'after-unfence-source',
  'after-release',
  'before-end',
  'after-end',
])('rule 22: an abort that fails %s is ended by looking again, and the source writes on', async (place) => {
  const armed = armFailPoints(`mover.switch.after-fence=once:hang, mover.abort.${place}=once:throw`)
  const id = await world.comeTo('mover.switch.after-fence', armed)
  await askAbort(world.db.control, 'goods', 'changed my mind')
  armed.release('mover.switch.after-fence')
  expect(await world.endOf(id)).toMatchObject({ state: 'failed' })
  expect(armed.reached(`mover.abort.${place}`)).toBeGreaterThan(0)
  expect(await attemptsOf(id)).toEqual(['aborted'])
  expect(await world.stored()).toMatchObject({ phase: 'ready', step: null, owner: 'monolith', hold: false })
  await world.db.shop.query('update products set price = price + 1 where id = 1')
  await expect(world.db.goods.query('update products set price = 0')).rejects.toMatchObject({ code: 'BN001' })
})

it('rule 22: an abort ends, and requests are released, while the transaction that the fence gave up before stays open', async () => {
  const { control, shop } = world.db
  const writer = await shop.connect()
  try {
    await writer.query('begin; update stock set quantity = quantity + 1 where product_id = 1')
    const id = await askFor(control, { context: 'goods', verb: 'switch', source: 'cli', who: 'test' })
    await until('an attempt to be called off', 15_000, async () => (await attemptsOf(id!))[0] === 'aborted')
    await askAbort(control, 'goods', 'changed my mind')
    expect(await world.endOf(id!)).toMatchObject({ state: 'failed' })
    expect(await world.stored()).toMatchObject({ phase: 'ready', step: null, owner: 'monolith', hold: false })
    await writer.query('commit')
  } finally {
    writer.release(true)
  }
})

it('rule 20: a mover whose leading connection is gone cannot commit the owner, whatever else still answers it', async () => {
  const armed = armFailPoints('mover.switch.before-owner-commit=once:hang')
  const id = await world.comeTo('mover.switch.before-owner-commit', armed)
  await world.db.control.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'banyan mover (leader)'",
  )
  armed.release('mover.switch.before-owner-commit')
  expect(await world.endOf(id)).toMatchObject({ state: 'done' })
  expect(await attemptsOf(id)).toEqual(['taken-over', 'committed'])
})

it('rule 20: an owner commit whose reply is lost is read again, and neither repeated nor called off', async () => {
  const { term } = await world.stored()
  const armed = armFailPoints('mover.switch.after-owner-commit=once:throw')
  const id = await world.comeTo('mover.switch.after-owner-commit', armed, 'rollback')
  expect(await world.endOf(id)).toMatchObject({ state: 'done' })
  expect(await attemptsOf(id)).toEqual(['committed'])
  expect(await world.stored()).toMatchObject({ owner: 'monolith', term: term + 1n, hold: false })
})

it('an owner that a lost attempt left closed is opened again, under a token above the lost one', async () => {
  const lost = (await world.stored()).token + 5n
  await world.db.shop.query(
    `begin; alter table products enable always trigger "!!banyan_fence"; alter table stock enable always trigger "!!banyan_fence";
     update banyan.owner set owner = 'moving' where context = 'goods';
     update banyan.fence set closed = true, token = ${lost} where context = 'goods'; commit`,
  )
  await until('the owner to accept writes', 20_000, () =>
    world.db.shop.query('update products set price = price + 1 where id = 1').catch(() => null),
  )
  await until('the mover to be at rest', 10_000, async () => (await world.stored()).step === null)
  const { token, ...row } = await world.stored()
  expect(token).toBeGreaterThan(lost)
  expect(row).toMatchObject({ phase: 'ready', owner: 'monolith', direction: null, hold: false })
  await expect(world.db.goods.query('update products set price = 0')).rejects.toMatchObject({ code: 'BN001' })
})

it('a mover that has lost the lead while a query of its own hangs ends that query and leads again', async () => {
  const { control, shop } = world.db
  const holder = await shop.connect()
  try {
    await holder.query("begin; select from banyan.fence where context = 'goods' for update")
    await until('the mover to wait for the row', 10_000, async () => {
      const { rows } = await shop.query(
        "select from pg_stat_activity where datname = current_database() and application_name = 'banyan mover' and wait_event_type = 'Lock'",
      )
      return rows.length > 0
    })
    await control.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'banyan mover (leader)'",
    )
    await until('the lead to be gone', 5_000, async () => !(await someoneLeads(control)))
    await until('the mover to lead again', 20_000, () => someoneLeads(control))
  } finally {
    holder.release(true)
  }
})
