import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestVhost } from '../../../tests/support/infra.ts'
import { SHIPPING_ADDRESS } from '../testing/order.ts'
import { type Sandbox, startSandbox } from '../testing/sandbox.ts'
import { startTestShop, type TestShop } from '../testing/shop.ts'
import { messageId } from './mailer.ts'

let vhost: Awaited<ReturnType<typeof createTestVhost>>
let sandbox: Sandbox
let shop: TestShop

beforeAll(async () => {
  ;[vhost, sandbox] = await Promise.all([createTestVhost(), startSandbox()])
  shop = await startTestShop({ ...sandbox.env, AMQP_URL: vhost.url, SHIPPING_DELAY_MS: '500' })
})
afterAll(async () => {
  await shop?.close()
  await sandbox?.close()
  await vhost?.drop()
})

const order = async (token: string, paymentToken = 'tok_visa') => {
  const { body } = await shop.order(token, `key-${Math.random()}`, { paymentToken })
  return body
}
const mailsTo = async (address: string) => (await sandbox.mails()).filter((mail) => mail.to.includes(address))
const until = async (seen: () => Promise<boolean>): Promise<void> => {
  const end = Date.now() + 30_000
  while (!(await seen())) {
    if (Date.now() > end) throw new Error('not seen within 30 s')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

it('ships a confirmed order and writes one letter an event, each recognisable by its event', async () => {
  const customer = await shop.customer()
  const { id } = await order(customer.token)
  await until(async () => (await mailsTo(customer.email)).length >= 2)
  const { body: shipment } = await shop.call('GET', `/api/orders/${id}/shipment`, { token: customer.token })
  expect(shipment).toMatchObject({ orderId: id, status: 'dispatched', address: SHIPPING_ADDRESS })
  expect(shipment.events.map((event: { type: string }) => event.type)).toEqual(['prepared', 'dispatched'])

  const events: { event_id: string }[] = await shop
    .db('banyan.outbox')
    .whereIn('type', ['OrderPlaced', 'ShipmentDispatched'])
    .whereRaw("payload->>'orderId' = ?", [String(id)])
  const mails = await mailsTo(customer.email)
  expect(mails.map((mail) => mail.messageId).sort()).toEqual(events.map((event) => messageId(event.event_id)).sort())
  expect(mails.map((mail) => mail.subject)).toEqual([`We have your order ${id}`, `Your order ${id} is on its way`])

  await until(
    async () => (await shop.call('GET', `/api/orders/${id}`, { token: customer.token })).body.status === 'shipped',
  )
  const cancel = await shop.call('POST', `/api/orders/${id}/cancel`, { token: customer.token })
  expect([cancel.status, cancel.body.code]).toEqual([409, 'order-shipped'])
  const { body: list } = await shop.call('GET', '/api/notifications', { token: customer.token })
  expect(list).toMatchObject({
    total: 2,
    items: [{ type: 'ShipmentDispatched', status: 'sent' }, { type: 'OrderPlaced' }],
  })
})

it('does not ship what is cancelled in time, and says so once', async () => {
  const customer = await shop.customer()
  const { id } = await order(customer.token)
  expect((await shop.call('POST', `/api/orders/${id}/cancel`, { token: customer.token })).body.status).toBe('cancelled')
  await until(async () => (await mailsTo(customer.email)).length >= 2)
  await until(async () => {
    const { body } = await shop.call('GET', `/api/orders/${id}/shipment`, { token: customer.token })
    return body.status === 'cancelled'
  })
  expect((await mailsTo(customer.email)).map((mail) => mail.subject)).toEqual([
    `We have your order ${id}`,
    `Your order ${id} is cancelled`,
  ])
})

it('sends each letter once while the mail server refuses some, and one event handled twice makes no second letter', async () => {
  await sandbox.refuseMails(5)
  const customers = await Promise.all(Array.from({ length: 5 }, () => shop.customer()))
  await Promise.all(customers.map(({ token }) => order(token)))
  for (const { email } of customers) await until(async () => (await mailsTo(email)).length >= 2)
  const sent = await sandbox.mails()
  expect(new Set(sent.map((mail) => mail.messageId)).size).toBe(sent.length)

  // The other side's inbox does not know what this one has handled: only the table's own rule is left.
  const letters = await shop.db('notifications').count('* as n')
  await shop.db('banyan.inbox').delete()
  const { rowCount } = await shop.db.raw("update banyan.outbox set published_at = null where type = 'OrderPlaced'")
  expect(rowCount).toBeGreaterThan(0)
  await until(async () => (await shop.db('banyan.inbox').count('* as n'))[0]!.n === rowCount)
  expect(await shop.db('notifications').count('* as n')).toEqual(letters)
  expect(await sandbox.mails()).toHaveLength(sent.length)
})

it('has one letter in hand at a time, however many are due: a kill inside a sending can repeat that one alone', async () => {
  await shop.db.raw(`
    create table in_hand (letters int);
    create function note_in_hand() returns trigger language plpgsql as $$ begin
      insert into in_hand select count(*) from notifications where type = 'Crowd' and status = 'pending' and attempts > 0;
      return null; end $$;
    create trigger note_in_hand after update on notifications for each row execute function note_in_hand();
    insert into notifications (event_id, user_id, type, recipient, subject, body)
      select gen_random_uuid(), 1, 'Crowd', 'crowd-' || n || '@shop.test', 'Hello', 'Hello' from generate_series(1, 20) n`)
  const sent = () => shop.db('notifications').where({ type: 'Crowd', status: 'sent' })
  await until(async () => (await sent()).length === 20)
  expect(await shop.db('in_hand').max('letters')).toEqual([{ max: 1 }])
  await shop.db.raw('drop trigger note_in_hand on notifications')
})

it('sends a letter once whose note that it is sent fails at first', async () => {
  // What a sequence has given stays given when the statement fails.
  await shop.db.raw(`
    create sequence notes;
    create function fail_twice() returns trigger language plpgsql as $$ begin
      if nextval('notes') <= 2 then raise exception 'away for a moment'; end if;
      return new; end $$;
    create trigger fail_twice before update on notifications for each row
      when (new.type = 'Noted' and new.status = 'sent') execute function fail_twice();
    insert into notifications (event_id, user_id, type, recipient, subject, body)
      values (gen_random_uuid(), 1, 'Noted', 'noted@shop.test', 'Hello', 'Hello')`)
  await until(async () => (await shop.db('notifications').where({ type: 'Noted', status: 'sent' })).length === 1)
  expect(await mailsTo('noted@shop.test')).toHaveLength(1)
  await shop.db.raw('drop trigger fail_twice on notifications')
})

it('gives a letter up at last and lets later ones go ahead, and what docs/operate.md says sends it after all', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/operate.md'), 'utf8')
  const [sendAgain = ''] = /update notifications set status = 'pending'[^;]*;/.exec(page) ?? []
  await sandbox.refuseMails(1)
  await shop.db.raw(`
    insert into notifications (event_id, user_id, type, recipient, subject, body, attempts) values
      (gen_random_uuid(), 1, 'Given', 'given-up@shop.test', 'First', 'Hello', 19),
      (gen_random_uuid(), 1, 'Given', 'given-up@shop.test', 'Later', 'Hello', 0)`)
  const letters = () =>
    shop.db('notifications').where({ type: 'Given' }).orderBy('id').select('subject', 'status', 'attempts')
  const subjects = async () => (await mailsTo('given-up@shop.test')).map((mail) => mail.subject)
  await until(async () => (await letters()).every(({ status }) => status !== 'pending'))
  expect(await letters()).toEqual([
    { subject: 'First', status: 'failed', attempts: 20 },
    { subject: 'Later', status: 'sent', attempts: 1 },
  ])
  expect(await subjects()).toEqual(['Later'])
  await shop.db.raw(sendAgain)
  await until(async () => (await letters()).every(({ status }) => status === 'sent'))
  expect(await letters()).toMatchObject([{ attempts: 1 }, { attempts: 1 }])
  expect(await subjects()).toEqual(['Later', 'First'])
})

it('hears of what waited in the outbox for a broker, though its relay is up before its consumers are', async () => {
  // Until now this shop had no broker at all; the first one that it gets knows no queue.
  const [late, quiet] = await Promise.all([createTestVhost(), startTestShop(sandbox.env)])
  const customer = await quiet.customer()
  const { body } = await quiet.order(customer.token, 'before-the-broker')
  const heard = await startTestShop({ ...sandbox.env, AMQP_URL: late.url, DATABASE_URL: quiet.config.DATABASE_URL })
  try {
    await until(async () => (await quiet.db('banyan.outbox').whereNull('published_at')).length === 0)
    await until(async () => (await quiet.db('notifications').where({ type: 'OrderPlaced' })).length === 1)
    await until(async () => (await quiet.db('shipments').where({ order_id: body.id })).length === 1)
  } finally {
    await heard.close()
    await quiet.close()
    await late.drop()
  }
})

it('takes a deleted product out of the carts', async () => {
  const customer = await shop.customer()
  await shop.call('PUT', '/api/cart/items/50', { token: customer.token, body: { quantity: 1 } })
  // As it is once inventory has moved away, and the foreign key with it.
  await shop.db.raw('alter table cart_items drop constraint if exists cart_items_product_id_fkey')
  await shop.call('DELETE', '/api/products/50', { token: await shop.adminToken() })
  await until(async () => (await shop.db('cart_items').where({ product_id: 50 })).length === 0)
})
