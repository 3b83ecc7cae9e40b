import { type ArmedFailPoints, armFailPoints } from '@banyan/kit/service'
import type { Knex } from 'knex'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { TestService } from '../../../kit/service/testing/test-service.ts'
import { type Sandbox, startSandbox } from '../../../monolith/src/testing/sandbox.ts'
import type { PaymentProvider } from './payments/provider.ts'
import { settlePendingRefunds } from './payments/refunds.ts'
import { startTestPayments } from './testing/payments.ts'

let sandbox: Sandbox
let payments: TestService<Knex>
let armed: ArmedFailPoints | undefined
let order = 100

beforeAll(async () => {
  sandbox = await startSandbox({ lateMs: 1_500 })
  payments = await startTestPayments({ env: sandbox.env })
})
afterAll(async () => {
  await payments?.close()
  await sandbox?.close()
})
beforeEach(() => payments.setOwner('service'))
afterEach(() => armed?.disarm())

const charge = (orderId: number, change: object = {}) =>
  payments.internal('POST', '/internal/charges', { orderId, userId: 1, amountCents: 900, token: 'tok_visa', ...change })
const cancel = (orderId: number) => payments.internal('POST', `/internal/charges/${orderId}/cancel`, { userId: 1 })
const refund = async (id: number, key: string, amountCents?: number) =>
  payments.call('POST', `/api/payments/${id}/refunds`, {
    token: await payments.token('admin'),
    headers: { 'idempotency-key': key },
    body: { reason: 'damaged', ...(amountCents === undefined ? {} : { amountCents }) },
  })
const held = async (orderId: number) => (await sandbox.heldCents()).get(`order-${orderId}`) ?? 0
const chargesOf = async (orderId: number) =>
  (await sandbox.ledger()).filter(({ kind, key }) => kind === 'charge' && key === `order-${orderId}`).length
const row = (orderId: number) => payments.db('payments').where({ order_id: orderId }).first()
/** What was announced of an order's money, in its order. */
const told = async (orderId: number): Promise<{ type: string; cents: number }[]> =>
  (
    await payments.db.raw(
      "select type, (payload->>'amountCents')::int as cents from banyan.outbox where stream = ? order by id",
      [`payment-${orderId}`],
    )
  ).rows

describe('a service that owns payments', () => {
  it('charges an order once, however often and however many at once ask', async () => {
    const id = ++order
    const answers = await Promise.all(Array.from({ length: 20 }, () => charge(id)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect([await held(id), await chargesOf(id)]).toEqual([900, 1])
    expect(await told(id)).toEqual([{ type: 'PaymentCaptured', cents: 900 }])
  })

  it('ends a cancellation that races with its charge with nothing at the provider', async () => {
    const orders = Array.from({ length: 10 }, () => ++order)
    await Promise.all(
      orders.map(async (id, n) => {
        const asked = charge(id, { token: n % 3 ? 'tok_visa' : 'tok_timeout' })
        if (n % 2) await asked
        await cancel(id)
        await asked
      }),
    )
    for (const id of orders) {
      expect(await held(id)).toBe(0)
      expect(['voided', 'refunded']).toContain((await row(id)).status)
      expect((await charge(id)).body.code).toBe('payment-cancelled')
    }
  })

  it('tells that money was taken before it tells that it went back, also where only a cancellation found it out', async () => {
    const id = ++order
    expect((await charge(id, { token: 'tok_timeout' })).body.code).toBe('payment-unclear')
    expect((await cancel(id)).body).toMatchObject({ status: 'refunded', refundedCents: 900 })
    expect(await told(id)).toEqual([
      { type: 'PaymentCaptured', cents: 900 },
      { type: 'PaymentRefunded', cents: 900 },
    ])
  })

  it('tells of each refund what it gives back, and of the charge no second time', async () => {
    const id = ++order
    const { paymentId } = (await charge(id)).body
    await refund(paymentId, 'a-part', 300)
    await refund(paymentId, 'a-part', 300)
    await refund(paymentId, 'the-rest')
    expect(await told(id)).toEqual([
      { type: 'PaymentCaptured', cents: 900 },
      { type: 'PaymentRefunded', cents: 300 },
      { type: 'PaymentRefunded', cents: 600 },
    ])
  })

  it('settles a refund whose answer was lost, once', async () => {
    const id = ++order
    const { paymentId } = (await charge(id)).body
    armed = armFailPoints('payments.after-refund=once:throw')
    expect((await refund(paymentId, 'lost', 300)).status).toBe(500)
    expect([await held(id), (await row(id)).refunded_cents]).toEqual([600, 0])
    // The key finds the refund that it began, and the provider finds the one that it made.
    expect((await refund(paymentId, 'lost', 300)).body).toMatchObject({ status: 'done', amountCents: 300 })
    expect([await held(id), (await row(id)).refunded_cents]).toEqual([600, 300])
  })

  it('notes a refund once, though two who asked for it under one key hear that it was made', async () => {
    const id = ++order
    const { paymentId } = (await charge(id)).body
    armed = armFailPoints('payments.after-refund=once:hang')
    const first = refund(paymentId, 'heard-twice', 300)
    await expect.poll(() => armed?.reached('payments.after-refund')).toBe(1)
    expect((await refund(paymentId, 'heard-twice', 300)).body.status).toBe('done')
    armed.release('payments.after-refund')
    expect((await first).body.status).toBe('done')
    expect([await held(id), (await row(id)).refunded_cents]).toEqual([600, 300])
  })

  it('promises nobody what an open refund is about to give back', async () => {
    const id = ++order
    const { paymentId } = (await charge(id)).body
    const open = { payment_id: paymentId, idempotency_key: 'first', amount_cents: 600, reason: 'damaged' }
    await payments.db('refunds').insert({ ...open, status: 'pending' })
    expect((await refund(paymentId, 'second', 301)).body).toMatchObject({ code: 'refund-too-large', leftCents: 300 })
    expect((await refund(paymentId, 'third')).body).toMatchObject({ status: 'done', amountCents: 300 })
  })

  it('lets a refund that the provider says nothing about keep neither the others from their turn nor a hold', async () => {
    const { paymentId } = (await charge(++order)).body
    const open = (key: string, age: number) => ({
      ...{ payment_id: paymentId, idempotency_key: key, amount_cents: 10, reason: 'damaged', status: 'pending' },
      created_at: new Date(age),
    })
    await payments.db('refunds').insert([open('unclear', 0), open('clear', 1), open('held', 2)])
    const steps: string[] = []
    const provider = {
      async refund(_charge: string, key: string) {
        const { idempotency_key: name } = await payments
          .db('refunds')
          .where({ id: key.slice(7) })
          .first()
        steps.push(name)
        if (name === 'unclear') throw new Error('the provider says nothing')
        return true
      },
    } as unknown as PaymentProvider
    // As the gate does it: from the hold on none begins.
    const pass = async <T>(step: () => Promise<T>) => (steps.includes('clear') ? undefined : step())
    await expect(settlePendingRefunds(payments.db, provider, { pass })).rejects.toThrow('1 refunds are still open')
    expect(steps).toEqual(['unclear', 'clear'])
    const refunds = payments.db('refunds').where({ payment_id: paymentId })
    expect(await refunds.orderBy('created_at').pluck('status')).toEqual(['pending', 'done', 'pending'])
    await payments.db('refunds').where({ payment_id: paymentId }).update({ status: 'refused' })
  })

  it('looks by itself after a refund that nobody asks for again', async () => {
    const id = ++order
    const { paymentId } = (await charge(id)).body
    armed = armFailPoints('payments.after-refund=once:throw')
    await refund(paymentId, 'forgotten', 100)
    await payments
      .db('refunds')
      .where({ payment_id: paymentId })
      .update({ created_at: new Date(0) })
    await expect.poll(async () => (await row(id)).refunded_cents, { timeout: 10_000 }).toBe(100)
    expect(await held(id)).toBe(800)
  })

  it('closes a refund that is still open with the cancellation, which has given all of it back', async () => {
    const id = ++order
    const { paymentId } = (await charge(id)).body
    const key = { payment_id: paymentId, idempotency_key: 'open' }
    await payments.db('refunds').insert({ ...key, amount_cents: 300, reason: 'damaged', status: 'pending' })
    await cancel(id)
    expect(await payments.db('refunds').where(key).pluck('status')).toEqual(['refused'])
    expect([await held(id), (await row(id)).refunded_cents]).toEqual([0, 900])
  })
})

describe('a service that does not own payments', () => {
  it.each([
    ['monolith', 421, 'not-owner'],
    ['moving', 503, 'fenced'],
  ] as const)('answers reads and refuses writes while the owner is %s: %s', async (owner, status, reason) => {
    const id = ++order
    const { paymentId } = (await charge(id)).body
    await payments.setOwner(owner)
    for (const answer of [await charge(id), await charge(++order), await cancel(id), await refund(paymentId, 'no')])
      expect([answer.status, answer.headers.get('banyan-refused')]).toEqual([status, reason])
    const token = await payments.token('customer')
    expect((await payments.call('GET', `/api/payments/${paymentId}`, { token })).body.status).toBe('captured')
    expect([await held(id), await held(order)]).toEqual([900, 0])
  })

  it('notes a refund as open when payments move before its answer is noted: it may have been made', async () => {
    const { paymentId } = (await charge(++order)).body
    armed = armFailPoints('payments.after-refund=once:hang')
    const asked = refund(paymentId, 'moved-away', 200)
    await expect.poll(() => armed?.reached('payments.after-refund')).toBe(1)
    await payments.setOwner('moving')
    armed.release('payments.after-refund')
    const { status, body } = await asked
    expect([status, body.status, await held(order)]).toEqual([201, 'pending', 700])
    await payments.setOwner('service')
    expect((await refund(paymentId, 'moved-away', 200)).body).toMatchObject({ id: body.id, status: 'done' })
    expect(await held(order)).toBe(700)
  })

  it('leaves the refunds that are open to the owner', async () => {
    const { paymentId } = (await charge(++order)).body
    await payments.db('refunds').insert({
      payment_id: paymentId,
      idempotency_key: 'moved',
      amount_cents: 100,
      reason: 'damaged',
      status: 'pending',
      created_at: new Date(0),
    })
    const asked: unknown[] = []
    const provider = { refund: async (...call: unknown[]) => asked.push(call) > 0 } as unknown as PaymentProvider
    await payments.setOwner('monolith')
    expect(await settlePendingRefunds(payments.db, provider)).toBe(0)
    expect(asked).toEqual([])
    await payments.setOwner('service')
    expect(await settlePendingRefunds(payments.db, provider)).toBe(1)
  })
})
