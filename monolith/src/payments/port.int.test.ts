import {
  type ArmedFailPoints,
  armFailPoints,
  createCaller,
  createInternalSigner,
  createLogger,
  publicJwks,
} from '@banyan/kit/service'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { newKey } from '../../../tests/support/keys.ts'
import { type Sandbox, startSandbox } from '../testing/sandbox.ts'
import { startTestShop, type TestShop } from '../testing/shop.ts'
import { createLocalPayments } from './charges.ts'
import type { PaymentsPort } from './port.ts'
import { createPaymentsPort } from './port-by-owner.ts'
import { createRemotePayments } from './port-remote.ts'
import { createPaymentProvider } from './provider.ts'
import type { PaymentRow } from './store.ts'

// A second shop plays the payment service: it keeps the same internal contract, and asks the same provider.
const logger = createLogger({ name: 'test', level: 'silent' })
const key = newKey('monolith')
const closing: (() => Promise<unknown>)[] = []
let sandbox: Sandbox
let here: TestShop
let there: TestShop
let local: PaymentsPort
let remote: PaymentsPort
let port: PaymentsPort
let armed: ArmedFailPoints | undefined
let order = 70_000

beforeAll(async () => {
  sandbox = await startSandbox({ lateMs: 1_500 })
  const INTERNAL_JWKS = JSON.stringify(publicJwks({ keys: [key] }))
  ;[here, there] = await Promise.all([startTestShop(sandbox.env), startTestShop({ ...sandbox.env, INTERNAL_JWKS })])
  const { PAYMENT_PROVIDER_URL: baseUrl = '', PAYMENT_PROVIDER_KEY } = sandbox.env
  const toProvider = createCaller({ baseUrl, name: 'payment-provider', deadlineMs: 1_000, logger })
  const headers = { authorization: `Bearer ${PAYMENT_PROVIDER_KEY}` }
  const provider = createPaymentProvider((call) => toProvider.call({ ...call, headers }))
  const signer = createInternalSigner({ privateJwk: key, name: 'monolith' })
  const toThere = createCaller({ baseUrl: there.url, name: 'monolith', deadlineMs: 2_000, signer, logger })
  closing.push(
    () => here.close(),
    () => there.close(),
    () => toProvider.close(),
    () => toThere.close(),
  )
  local = createLocalPayments(here.db, provider)
  remote = createRemotePayments({ caller: toThere })
  port = createPaymentsPort({ db: here.db, local, remote })
})
afterAll(async () => {
  for (const close of closing.reverse()) await close()
  await sandbox?.close()
})
beforeEach(async () => {
  order++
  await own('monolith')
})
afterEach(() => armed?.disarm())

/** A database's word on the owner; the second shop says `monolith` of itself, so its own side is meant by it. */
const say = (shop: TestShop, owner: string) =>
  shop.db.raw("update banyan.owner set owner = ?, term = term + 1 where context = 'payments'", [owner])
const own = async (owner: 'monolith' | 'service' | 'moving') => {
  await say(here, owner)
  await say(there, { monolith: 'service', service: 'monolith', moving: 'moving' }[owner])
}
const payment = (shop: TestShop): Promise<PaymentRow | undefined> =>
  shop.db<PaymentRow>('payments').where({ order_id: order }).first()
/** What the mover does with a context's rows before the other side opens; here they keep no number. */
const moveRow = async () => {
  const { id: _, ...row } = (await payment(here)) as PaymentRow
  await there.db('payments').insert(row)
}
const charge = (token = 'tok_visa', amountCents = 500) => ({ orderId: order, userId: 7, amountCents, token })
const cancel = () => ({ orderId: order, userId: 7 })
const held = async () => (await sandbox.heldCents()).get(`order-${order}`) ?? 0
const charges = async () =>
  (await sandbox.ledger()).filter((entry) => entry.kind === 'charge' && entry.key === `order-${order}`).length
const until = async (seen: () => boolean | Promise<boolean>) => expect.poll(seen, { timeout: 10_000 }).toBe(true)
const outcome = (work: Promise<object>) =>
  work.then(
    (value) => ({ ...value, paymentId: 0 }),
    ({ status, code, message, members }) => ({ status, code, message, members }),
  )

describe('both ways to payments', () => {
  it('say the same of every story, to the word', async () => {
    await own('monolith')
    await say(there, 'monolith')
    const story = async (side: PaymentsPort) => {
      const told: object[] = []
      for (const step of [
        () => side.charge(charge()),
        () => side.charge(charge()),
        () => side.charge(charge('tok_visa', 501)),
        () => side.cancel(cancel()),
        () => side.charge(charge()),
        () => side.cancel({ ...cancel(), orderId: order + 1_000 }),
        () => side.charge({ ...charge(), orderId: order + 1_000 }),
        () => side.charge({ ...charge('tok_declined'), orderId: order + 2_000 }),
        () => side.cancel({ ...cancel(), orderId: order + 2_000 }),
        () => side.charge({ ...charge('tok_nobody_knows'), orderId: order + 4_000 }),
      ])
        told.push(await outcome(step()))
      return told
    }
    const first = await story(local)
    order += 10_000
    const second = await story(remote)
    const anonymous = (told: object) => JSON.parse(JSON.stringify(told).replaceAll(/\b\d{5}\b/g, '0'))
    expect(anonymous(second)).toEqual(anonymous(first))
    expect(first.map((one: { code?: string; status?: unknown }) => one.code ?? one.status)).toEqual([
      'captured',
      'captured',
      'charge-differs',
      'refunded',
      'payment-cancelled',
      'voided',
      'payment-cancelled',
      'payment-declined',
      'declined',
      'payment-declined',
    ])
  })

  it('leave an outcome open that nobody knows yet, and find the late success by asking again', async () => {
    expect(await outcome(local.charge(charge('tok_timeout')))).toMatchObject({ status: 504, code: 'payment-unclear' })
    expect(await payment(here)).toMatchObject({ status: 'pending' })
    expect(await local.charge(charge('tok_timeout'))).toMatchObject({ status: 'captured' })
    expect([await held(), await charges()]).toEqual([500, 1])

    order++
    await own('service')
    // The call to the service is repeated within its own deadline, by the same rule.
    expect(await remote.charge(charge('tok_timeout'))).toMatchObject({ status: 'captured' })
    expect([await held(), await charges()]).toEqual([500, 1])
  })
})

describe('the choice', () => {
  it('follows the owner in the shop’s own database', async () => {
    await port.charge(charge())
    expect([await payment(here), await payment(there)]).toEqual([
      expect.objectContaining({ order_id: order }),
      undefined,
    ])
    order++
    await own('service')
    await port.charge(charge())
    expect([await payment(here), await payment(there)]).toEqual([
      undefined,
      expect.objectContaining({ order_id: order }),
    ])
  })

  it('holds nothing while it asks: a move would wait for the provider', async () => {
    armed = armFailPoints('payments.before-charge=hang')
    const answer = port.charge(charge())
    await until(() => armed?.reached('payments.before-charge') === 1)
    await here.db.transaction(async (trx) => {
      await trx.raw("set local lock_timeout = '500ms'")
      await trx.raw('lock table banyan.owner in exclusive mode')
    })
    armed.release('payments.before-charge')
    expect(await answer).toMatchObject({ status: 'captured' })
  })

  it('waits while payments move, and no longer than its deadline', async () => {
    await own('moving')
    const answer = port.charge(charge())
    await here.db.raw('select 1')
    await own('service')
    await answer
    expect(await payment(there)).toMatchObject({ status: 'captured' })

    await own('moving')
    const impatient = createPaymentsPort({ db: here.db, local, remote, patienceMs: 50 })
    expect(await outcome(impatient.cancel(cancel()))).toMatchObject({ status: 503, code: 'fenced' })
  })
})

describe('a switch in the middle', () => {
  const POINTS = ['payments.before-charge', 'payments.after-charge'] as const

  it.each(POINTS)('of a charge, at %s: the new owner settles it, once', async (point) => {
    armed = armFailPoints(`${point}=once:hang`)
    const answer = port.charge(charge())
    await until(() => armed?.reached(point) === 1)
    await own('moving')
    await moveRow()
    await own('service')
    armed.release(point)
    expect(await answer).toMatchObject({ status: 'captured' })
    expect((await payment(there))?.status).toBe('captured')
    expect((await payment(here))?.status).toBe('pending')
    expect([await held(), await charges()]).toEqual([500, 1])
  })

  it.each(['payments.before-cancel', 'payments.after-cancel'] as const)(
    'of a cancellation, at %s: the new owner ends with what the provider holds',
    async (point) => {
      await port.charge(charge())
      armed = armFailPoints(`${point}=once:hang`)
      const answer = port.cancel(cancel())
      await until(() => armed?.reached(point) === 1)
      await own('moving')
      await moveRow()
      await own('service')
      armed.release(point)
      expect(await answer).toMatchObject({ status: 'refunded', refundedCents: 500 })
      expect(await payment(there)).toMatchObject({ status: 'refunded', refunded_cents: 500 })
      expect([await held(), await charges()]).toEqual([0, 1])
    },
  )

  it.each(['moving', 'service'] as const)(
    'leaves no caller believing that nothing was done once the provider was asked, with the owner %s',
    async (owner) => {
      const told = async (point: string, ask: () => Promise<object>) => {
        armed = armFailPoints(`${point}=once:hang`)
        const answer = outcome(ask())
        await until(() => armed?.reached(point) === 1)
        await own(owner)
        armed.release(point)
        return answer
      }
      expect(await told('payments.after-charge', () => local.charge(charge()))).toMatchObject({
        code: 'payment-unclear',
      })
      expect(await held()).toBe(500)
      await own('monolith')
      expect(await told('payments.after-cancel', () => local.cancel(cancel()))).toMatchObject({
        code: 'payment-unclear',
      })
      expect(await held()).toBe(0)
    },
  )

  it('that outlasts the patience is no refusal either: the provider was asked before', async () => {
    const patient = createPaymentsPort({ db: here.db, local, remote, patienceMs: 2_000 })
    armed = armFailPoints('payments.after-charge=once:hang')
    const answer = outcome(patient.charge(charge()))
    await until(() => armed?.reached('payments.after-charge') === 1)
    await own('moving')
    armed.release('payments.after-charge')
    expect(await answer).toMatchObject({ status: 504, code: 'payment-unclear' })
    expect(await held()).toBe(500)
  })

  it('lets a charge that the old owner still sends find the cancellation at the new one', async () => {
    armed = armFailPoints('payments.before-charge=once:hang')
    const late = outcome(local.charge(charge()))
    await until(() => armed?.reached('payments.before-charge') === 1)
    await own('moving')
    await moveRow()
    await own('service')
    expect(await port.cancel(cancel())).toMatchObject({ status: 'voided' })
    armed.release('payments.before-charge')
    // It learns at the provider that it may not charge, and cannot note it any more.
    expect(await late).toMatchObject({ status: 504, code: 'payment-unclear' })
    expect(await outcome(port.charge(charge()))).toMatchObject({ code: 'payment-cancelled' })
    expect([await held(), await charges()]).toEqual([0, 0])
  })

  it('keeps the tombstone of a cancellation that came before its charge', async () => {
    await port.cancel(cancel())
    await own('moving')
    await moveRow()
    await own('service')
    expect(await outcome(port.charge(charge()))).toMatchObject({ status: 409, code: 'payment-cancelled' })
    expect(await charges()).toBe(0)
  })
})
