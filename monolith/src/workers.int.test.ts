import { fromPg, installControl } from '@banyan/kit/ownership'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { createTestDatabase } from '../../tests/support/infra.ts'
import { type Sandbox, startSandbox } from './testing/sandbox.ts'
import { startTestShop, type TestShop } from './testing/shop.ts'

/** A step that notes what it has done waits for whoever has its lock: a barrier inside a step. */
const BARRIER = { notifications: 4711, shipping: 4712 }
type Worker = keyof typeof BARRIER

let control: pg.Client
let barrier: pg.Client
let database: Awaited<ReturnType<typeof createTestDatabase>>
let sandbox: Sandbox
let shop: TestShop
let things = 1_000

beforeAll(async () => {
  ;[database, sandbox] = await Promise.all([createTestDatabase(), startSandbox()])
  control = new pg.Client({ connectionString: database.url })
  await control.connect()
  await installControl(fromPg(control))
  await control.query("insert into banyan.contexts (context) values ('notifications'), ('shipping')")
  shop = await startTestShop({ ...sandbox.env, CONTROL_DATABASE_URL: database.url })
  barrier = new pg.Client({ connectionString: shop.config.DATABASE_URL })
  await barrier.connect()
  await shop.db.raw(`
    create function wait_at_barrier() returns trigger language plpgsql as $$ begin
      perform pg_advisory_xact_lock(tg_argv[0]::bigint); return new; end $$;
    create trigger barrier before update on notifications for each row
      when (new.status = 'sent') execute function wait_at_barrier(${BARRIER.notifications});
    create trigger barrier before update on shipments for each row
      when (new.status = 'dispatched') execute function wait_at_barrier(${BARRIER.shipping})`)
})
afterEach(async () => {
  await barrier.query('select pg_advisory_unlock_all()')
})
afterAll(async () => {
  await barrier?.end()
  await shop?.close()
  await sandbox?.close()
  await control?.end()
  await database?.drop()
})

const setHold = (context: string, hold: boolean) =>
  control.query('update banyan.contexts set hold = $2, epoch = epoch + 1 where context = $1', [context, hold])
/** Whether the shop has acknowledged the hold: it has seen it, and nothing of the context is under way there. */
const acknowledged = async (context: string): Promise<boolean> => {
  const { rows } = await control.query(
    `select s.drained and s.epoch_seen >= c.epoch as done from banyan.subscribers s join banyan.contexts c using (context)
     where context = $1 and kind = 'worker'`,
    [context],
  )
  return rows.length === 1 && rows[0].done
}
const waitingAtBarrier = async () => {
  const { rows } = await barrier.query(`select 1 from pg_locks where locktype = 'advisory' and not granted`)
  return rows.length
}
const letter = async (subject: string, recipient = `${subject}@shop.test`, inSeconds = 0) => {
  await shop.db.raw(
    `insert into notifications (event_id, user_id, type, recipient, subject, body, next_at)
     values (gen_random_uuid(), 1, 'Test', ?, ?, 'Hello', now() + make_interval(secs => ?))`,
    [recipient, subject, inSeconds],
  )
}
const letterIs = async (subject: string) => (await shop.db('notifications').where({ subject }).first('status')).status
const parcel = (orderId: number) =>
  shop.db('shipments').insert({ order_id: orderId, user_id: 1, status: 'preparing', dispatch_after: shop.db.fn.now() })
const parcelIs = async (orderId: number) =>
  (await shop.db('shipments').where({ order_id: orderId }).first('status')).status

/** Long enough for the worker's own rounds, by those of the other one: mail is looked for every 200 ms, parcels every 500. */
const roundsPass = async (of: Worker) => {
  for (let round = 1; round <= 5; round += 1)
    if (of === 'shipping') {
      await letter(`round-${++things}`)
      await expect.poll(() => letterIs(`round-${things}`), { timeout: 15_000 }).toBe('sent')
    } else {
      await parcel(++things)
      await expect.poll(() => parcelIs(things), { timeout: 15_000 }).toBe('dispatched')
    }
}
const ownedBy = (context: string, owner: string) => shop.db('banyan.owner').where({ context }).update({ owner })

it.each<[Worker, string, () => Promise<unknown>, () => Promise<string>, string]>([
  ['notifications', 'a letter', () => letter('in-hand'), () => letterIs('in-hand'), 'sent'],
  ['shipping', 'a parcel', () => parcel(1), () => parcelIs(1), 'dispatched'],
])('a hold of %s waits for %s in hand', async (context, _what, due, state, done) => {
  await barrier.query('select pg_advisory_lock($1)', [BARRIER[context]])
  await due()
  await expect.poll(waitingAtBarrier, { timeout: 15_000 }).toBe(1)
  await setHold(context, true)
  await roundsPass(context)
  expect(await acknowledged(context)).toBe(false)
  await barrier.query('select pg_advisory_unlock_all()')
  await expect.poll(() => acknowledged(context), { timeout: 15_000 }).toBe(true)
  expect(await state()).toBe(done)
  await setHold(context, false)
})

it.each<[Worker, string, () => Promise<unknown>, () => Promise<string>, string, string]>([
  ['notifications', 'letter', () => letter('held'), () => letterIs('held'), 'pending', 'sent'],
  ['shipping', 'parcel', () => parcel(2), () => parcelIs(2), 'preparing', 'dispatched'],
])('while %s is held no %s goes, and each afterwards', async (context, _what, due, state, before, after) => {
  await setHold(context, true)
  await expect.poll(() => acknowledged(context), { timeout: 15_000 }).toBe(true)
  await due()
  await roundsPass(context)
  expect(await state()).toBe(before)
  await setHold(context, false)
  await expect.poll(state, { timeout: 15_000 }).toBe(after)
})

it.each<[Worker, string, () => Promise<unknown>, () => Promise<string>, string, string]>([
  ['notifications', 'letter', () => letter('theirs'), () => letterIs('theirs'), 'pending', 'sent'],
  ['shipping', 'parcel', () => parcel(3), () => parcelIs(3), 'preparing', 'dispatched'],
])('with %s in the other house this one sends no %s', async (context, _what, due, state, before, after) => {
  await ownedBy(context, 'service')
  await due()
  await roundsPass(context)
  expect(await state()).toBe(before)
  await ownedBy(context, 'monolith')
  await expect.poll(state, { timeout: 15_000 }).toBe(after)
})

it('sends the letters to one person in their order, and lets nobody else wait for the first', async () => {
  await letter('first', 'ada@shop.test', 3_600)
  await letter('second', 'ada@shop.test')
  await letter('other', 'bob@shop.test')
  // It is taken after the second would have been, had that not waited.
  await expect.poll(() => letterIs('other'), { timeout: 15_000 }).toBe('sent')
  expect(await letterIs('second')).toBe('pending')
  await shop.db('notifications').where({ subject: 'first' }).update({ next_at: shop.db.fn.now() })
  await expect.poll(() => letterIs('second'), { timeout: 15_000 }).toBe('sent')
  const toAda = (await sandbox.mails()).filter((mail) => mail.to.includes('ada@shop.test'))
  expect(toAda.map((mail) => mail.subject)).toEqual(['first', 'second'])
})
