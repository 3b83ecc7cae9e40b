import { createCaller, createInternalSigner, createLogger } from '@banyan/kit/service'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startTestUsers, type TestUsers } from '../../../extracted/user-service/src/testing/users.ts'
import { newKey } from '../../../tests/support/keys.ts'
import { startTestShop, type TestShop } from '../testing/shop.ts'
import { createUsersPort, type UsersPort } from './port.ts'
import { createRemoteUsers, noRemoteUsers } from './port-remote.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
const monolithKey = newKey('monolith')
const closing: (() => Promise<unknown>)[] = []
let shop: TestShop
let service: TestUsers
let port: UsersPort

beforeAll(async () => {
  // One set of keys, as in a move: what either side signs, both let in.
  const JWT_KEYS = JSON.stringify({ keys: [newKey('users')] })
  service = await startTestUsers({ callerKey: monolithKey, env: { JWT_KEYS } })
  closing.push(() => service.close())
  const INTERNAL_KEY = JSON.stringify(monolithKey)
  shop = await startTestShop({ JWT_KEYS, INTERNAL_KEY, USER_SERVICE_URL: service.url })
  closing.push(() => shop.close())
  port = createUsersPort({ db: shop.db, remote: remoteAt(service.url) })
})
afterAll(async () => {
  for (const close of closing.reverse()) await close()
})

/** Whose users are, as each of the two databases has been told. */
const owners = async (here: string, there: 'monolith' | 'service' | 'moving') => {
  await shop.db.raw("update banyan.owner set owner = ? where context = 'users'", [here])
  await service.setOwner(there)
}
beforeEach(() => owners('monolith', 'monolith'))

function remoteAt(baseUrl: string, privateJwk = monolithKey): UsersPort {
  const signer = createInternalSigner({ privateJwk, name: 'monolith' })
  const caller = createCaller({ baseUrl, name: 'user-service', deadlineMs: 2_000, signer, logger })
  closing.push(() => caller.close())
  return createRemoteUsers({ caller })
}

const insert = (side: Pick<TestShop, 'db'>, id: number, name: string) =>
  side.db('users').insert({ id, name, email: `${name.toLowerCase()}-${id}@users.test`, password_hash: '-' })

const AWAY = { status: 503, code: 'users-unreachable' }
const GONE = { status: 401, code: 'unauthenticated' }

describe('whom an order is for', () => {
  it('is told by the owner, and the same on both sides', async () => {
    await insert(shop, 1_001, 'Ada')
    await insert(service, 1_001, 'Ada')
    await insert(service, 1_002, 'Grace')
    const local = await port.customer(1_001)
    expect(local).toEqual({ name: 'Ada', email: 'ada-1001@users.test' })
    await expect(port.customer(1_002)).rejects.toMatchObject(GONE)
    await owners('service', 'service')
    expect(await port.customer(1_001)).toEqual(local)
    expect((await port.customer(1_002)).name).toBe('Grace')
    await expect(port.customer(1_003)).rejects.toMatchObject(GONE)
  })

  it('is told by the copy here until the service has been opened, and then by the service', async () => {
    await insert(shop, 1_011, 'Before')
    await insert(shop, 1_012, 'Unchanged')
    await insert(service, 1_011, 'After')
    await insert(service, 1_013, 'New')
    await owners('moving', 'monolith')
    expect((await port.customer(1_011)).name).toBe('Before')
    await expect(port.customer(1_013)).rejects.toMatchObject(GONE)
    // Open, while the shop's own database has not been told yet.
    await owners('moving', 'service')
    expect((await port.customer(1_011)).name).toBe('After')
    expect((await port.customer(1_013)).name).toBe('New')
    await expect(port.customer(1_012)).rejects.toMatchObject(GONE)
  })

  it('is told by the service until the shop has been opened again', async () => {
    await insert(service, 1_021, 'Leaving')
    await owners('service', 'moving')
    expect((await port.customer(1_021)).name).toBe('Leaving')
  })

  it('is looked up again where users came back between the look and the question', async () => {
    await insert(shop, 1_031, 'Back')
    await owners('service', 'monolith')
    const remote: UsersPort = {
      async customer(userId) {
        await owners('monolith', 'monolith')
        return remoteAt(service.url).customer(userId)
      },
    }
    expect((await createUsersPort({ db: shop.db, remote }).customer(1_031)).name).toBe('Back')
    // A service that was never told of its ownership is asked once, not for ever.
    await owners('service', 'monolith')
    await expect(port.customer(1_031)).rejects.toMatchObject({ status: 421, code: 'not-owner' })
  })

  it('needs no service in the instant of a switch, except for an account that is not here', async () => {
    await insert(shop, 1_041, 'Here')
    await owners('moving', 'monolith')
    for (const remote of [remoteAt('http://127.0.0.1:9'), noRemoteUsers()]) {
      const away = createUsersPort({ db: shop.db, remote })
      expect((await away.customer(1_041)).name).toBe('Here')
      await expect(away.customer(1_042)).rejects.toMatchObject(AWAY)
    }
  })

  it('is not known where the service is away, or refuses our token; the client is not to blame', async () => {
    await owners('service', 'service')
    for (const remote of [remoteAt('http://127.0.0.1:9'), remoteAt(service.url, newKey('monolith')), noRemoteUsers()])
      await expect(createUsersPort({ db: shop.db, remote }).customer(1_001)).rejects.toMatchObject(AWAY)
  })

  it('rule 25: holds no lock of ownership while the service is asked, for which a move would wait', async () => {
    await owners('service', 'service')
    let locked = false
    const remote: UsersPort = {
      async customer() {
        await shop.db.transaction(async (trx) => {
          await trx.raw("set local lock_timeout = '200ms'")
          await trx.raw('lock table banyan.owner in exclusive mode')
          locked = true
        })
        return { name: 'A', email: 'a@users.test' }
      },
    }
    await createUsersPort({ db: shop.db, remote }).customer(1)
    expect(locked).toBe(true)
  })
})

describe('a customer who has registered at the service a moment ago', () => {
  it('can order at once at the monolith, by the token that the service signed', async () => {
    await owners('service', 'service')
    await service.db.raw('alter table users alter column id restart with 2000')
    const { id, name, email, token } = await service.customer()
    const answer = await shop.call('POST', '/api/orders', {
      token,
      headers: { 'idempotency-key': 'first' },
      body: {
        items: [{ productId: 1, quantity: 1 }],
        paymentToken: 'tok_visa',
        shippingAddress: { name, line1: 'Main 1', postalCode: '10115', city: 'Berlin', country: 'DE' },
      },
    })
    // No provider is configured here: the order stands, and what becomes of it is not this test's.
    const { customer } = await shop.db('orders').where({ user_id: id }).first('customer')
    expect([answer.status < 500, customer]).toEqual([true, { name, email }])
  })
})
