import { armFailPoints, createCaller, createInternalSigner, createLogger } from '@banyan/kit/service'
import type { Knex } from 'knex'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestInventory, type TestInventory } from '../../../extracted/inventory-service/src/testing/inventory.ts'
import { newKey } from '../../../tests/support/keys.ts'
import { startTestShop, type TestShop } from '../testing/shop.ts'
import type { InventoryPort, LocalInventory, RemoteInventory } from './port.ts'
import { createInventoryPort } from './port-by-owner.ts'
import { createRemoteInventory } from './port-remote.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
const monolithKey = newKey('monolith')
const closing: (() => Promise<unknown>)[] = []
let shop: TestShop
let service: TestInventory
let port: InventoryPort
let order = 50_000

beforeAll(async () => {
  ;[shop, service] = await Promise.all([startTestShop(), startTestInventory({ callerKey: monolithKey })])
  closing.push(
    () => shop.close(),
    () => service.close(),
  )
  await service.setOwner('service')
  port = createInventoryPort({ db: shop.db, remote: remoteAt(service.url), reservationSeconds: 60 })
})
afterAll(async () => {
  for (const close of closing.reverse()) await close()
})

function remoteAt(baseUrl: string, privateJwk = monolithKey): RemoteInventory {
  const signer = createInternalSigner({ privateJwk, name: 'monolith' })
  const caller = createCaller({ baseUrl, name: 'inventory-service', deadlineMs: 2_000, signer, logger })
  closing.push(() => caller.close())
  return createRemoteInventory({ caller })
}

const owner = (name: string) => shop.db.raw("update banyan.owner set owner = ? where context = 'inventory'", [name])

/** Runs in a transaction of the shop, which owns inventory. */
const here = <T>(work: (stock: LocalInventory, trx: Knex.Transaction) => Promise<T>): Promise<T> =>
  shop.db.transaction(async (trx) => work((await port.here(trx))!, trx))

/** What an operation throws, without what names the place. */
const outcome = (work: Promise<unknown>) =>
  work.then(
    (value) => value,
    (error) => ({ status: error.status, code: error.code, members: error.members }),
  )

describe('both ways to inventory', () => {
  it('say the same of every story, to the word', async () => {
    const sides = [
      {
        product: (await shop.db('products').where({ sku: 'KIT-0001' }).first('id')).id as number,
        reserve: (orderId: number, productId: number, quantity: number) =>
          here((stock, trx) => stock.reserve(trx, { orderId, lines: [{ productId, quantity }] })),
        confirm: (orderId: number) => here((stock, trx) => stock.confirm(trx, orderId)),
        release: (orderId: number) => here((stock, trx) => stock.release(trx, orderId)),
        lookup: port.lookup,
      },
      {
        product: await service.addProduct('KIT-0001', 10),
        reserve: (orderId: number, productId: number, quantity: number) =>
          port.remote.reserve({ orderId, lines: [{ productId, quantity }] }),
        confirm: port.remote.confirm,
        release: port.remote.release,
        lookup: port.remote.lookup,
      },
    ]
    const id = ++order
    const [local, remote] = await Promise.all(
      sides.map(async ({ product, ...side }) => {
        const db = side.confirm === port.remote.confirm ? service.db : shop.db
        await db('stock').where({ product_id: product }).update({ available: 10, reserved: 0 })
        const told: unknown[] = []
        for (const step of [
          () => side.confirm(id),
          () => side.reserve(id, product, 4),
          () => side.reserve(id, product, 4),
          () => side.reserve(id, product, 5),
          () => side.reserve(id + 100, product, 7),
          () => side.reserve(id + 100, 987_654_321, 1),
          () => side.confirm(id),
          () => side.release(id),
          () => side.reserve(id, product, 4),
          () => side.release(id + 200),
          () => side.lookup([product, 987_654_321]).then(([found]) => found?.available),
          () => side.lookup([]),
        ]) {
          told.push(await outcome(step()))
        }
        const text = JSON.stringify(told).replace(/"productId":\d+/g, '"productId":0')
        return JSON.parse(text.replace(/"expiresAt":"[^"]+"/g, '"expiresAt":""'))
      }),
    )
    expect(remote).toEqual(local)
    expect(local.map((one: { code?: string; status?: unknown }) => one?.code ?? one?.status ?? one)).toEqual([
      'reservation-not-found',
      'held',
      'held',
      'reservation-differs',
      'out-of-stock',
      'unknown-product',
      'confirmed',
      'released',
      'reservation-ended',
      'released',
      10,
      [],
    ])
  })
})

describe('the choice', () => {
  it('follows the owner in the shop’s own database, and waits for nobody while it moves', async () => {
    const here = () => shop.db.transaction((trx) => port.here(trx))
    const skus = async () => (await port.lookup([ours, theirs])).map(({ sku }) => sku)
    const ours = (await shop.db('products').where({ sku: 'KIT-0002' }).first('id')).id as number
    const theirs = await service.addProduct('THERE', 1)
    expect(await here()).toBeDefined()
    expect(await skus()).toContain('KIT-0002')
    try {
      await owner('service')
      expect(await here()).toBeUndefined()
      expect(await skus()).toEqual(['THERE'])
      await owner('moving')
      expect(await outcome(here())).toMatchObject({ status: 503, code: 'fenced' })
      // The service is open, though the shop's own database has not been told yet: products made there are sold.
      expect(await skus()).toEqual(['THERE'])
      await service.setOwner('monolith')
      expect(await skus()).toContain('KIT-0002')
      const away = createInventoryPort({ db: shop.db, remote: remoteAt('http://127.0.0.1:9'), reservationSeconds: 60 })
      expect((await away.lookup([ours])).map(({ sku }) => sku)).toEqual(['KIT-0002'])
    } finally {
      await owner('monolith')
      await service.setOwner('service')
    }
  })

  it('looks up again what came back between the look and the question', async () => {
    const ours = (await shop.db('products').where({ sku: 'KIT-0002' }).first('id')).id as number
    await owner('service')
    await service.setOwner('monolith')
    const remote: RemoteInventory = {
      ...port.remote,
      async lookup(ids) {
        await owner('monolith')
        return port.remote.lookup(ids)
      },
    }
    try {
      const back = createInventoryPort({ db: shop.db, remote, reservationSeconds: 60 })
      expect((await back.lookup([ours])).map(({ sku }) => sku)).toEqual(['KIT-0002'])
    } finally {
      await owner('monolith')
      await service.setOwner('service')
    }
  })

  it('holds the owner still until the transaction ends', async () => {
    const trx = await shop.db.transaction()
    expect(await port.here(trx)).toBeDefined()
    const fence = shop.db.transaction(async (other) => {
      await other.raw("set local lock_timeout = '100ms'")
      await other.raw("update banyan.owner set owner = 'moving' where context = 'inventory'")
    })
    await expect(fence).rejects.toMatchObject({ code: '55P03' })
    await trx.rollback()
  })
})

describe('the remote way', () => {
  it('passes a refusal on as it is: nothing was done, ask whose it is now', async () => {
    await service.setOwner('monolith')
    try {
      await expect(port.remote.release(++order)).rejects.toMatchObject({
        status: 421,
        headers: { 'Banyan-Refused': 'not-owner' },
      })
      expect((await service.internal('GET', `/internal/reservations/${order}`)).status).toBe(404)
    } finally {
      await service.setOwner('service')
    }
  })

  it('says of a service that is away that nothing was done', async () => {
    const remote = remoteAt('http://127.0.0.1:9')
    await expect(remote.release(++order)).rejects.toMatchObject({ status: 503, code: 'inventory-unreachable' })
  })

  it('says of a token of ours that the service refuses that nothing was done, and not that the client is unknown', async () => {
    const remote = remoteAt(service.url, newKey('monolith'))
    await expect(remote.release(++order)).rejects.toMatchObject({ status: 503, code: 'inventory-unreachable' })
  })

  it('killed between the answer and its use, the same call again finds what was done', async () => {
    const product = await service.addProduct(`RMT-${++order}`, 5)
    const request = { orderId: order, lines: [{ productId: product, quantity: 2 }] }
    const points = armFailPoints('remote-inventory.after-reserve=once:throw')
    try {
      await expect(port.remote.reserve(request)).rejects.toThrow('fail point')
      expect(await port.remote.reserve(request)).toMatchObject({ status: 'held', lines: request.lines })
    } finally {
      points.disarm()
    }
    const { rows } = await service.db.raw('select available, reserved from stock where product_id = ?', [product])
    expect(rows).toEqual([{ available: 3, reserved: 2 }])
  })
})
