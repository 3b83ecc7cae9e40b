import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { connect } from 'amqplib'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Child, startCommand } from '../../compose/embedded/child.ts'
import { freePorts } from '../../compose/embedded/ports.ts'
import { ROOT } from '../../compose/embedded/stack.ts'
import { becomesTrue } from '../../compose/embedded/wait.ts'
import { bindingsOf, createTestDatabase, createTestVhost } from '../support/infra.ts'
import { newKey, publicKey, userToken } from '../support/keys.ts'
import { findPython } from '../support/python.ts'
import { type EventWatch, watchEvents } from './event-watch.ts'
import { createSampleTeller } from './samples.ts'
import { contractSuite } from './suite.ts'

const MAIN = 'extracted/shipping-service-python/main.py'
const python = findPython()
const why = python ? '' : ' (skipped: no Python with psycopg2, pika, PyJWT and cryptography is to be had here)'

describe.skipIf(!python)(`shipping in Python, by the contracts alone${why}`, () => {
  const users = newKey('users')
  const tokens = { adminToken: userToken(users, { sub: '1', role: 'admin' }), customerToken: tokenOf(2) }
  let folder: string
  let database: Awaited<ReturnType<typeof createTestDatabase>>
  let vhost: Awaited<ReturnType<typeof createTestVhost>>
  let teller: Awaited<ReturnType<typeof createSampleTeller>>
  let watch: EventWatch
  let db: pg.Pool
  let baseUrl = ''
  let child: Child

  beforeAll(async () => {
    ;[database, vhost, folder] = await Promise.all([
      createTestDatabase(),
      createTestVhost(),
      mkdtemp(join(tmpdir(), 'banyan-python-')),
    ])
    await promisify(execFile)(process.execPath, [join(ROOT, 'migrations/src/migrate.ts'), 'shipping'], {
      env: { DATABASE_URL: database.url },
    })
    db = new pg.Pool({ connectionString: database.url, max: 2 })
    // The database is dropped while its last connections are still closing.
    db.on('error', () => undefined)
    ;[teller, watch] = await Promise.all([createSampleTeller(vhost.url), watchEvents(vhost.url)])
    const [port] = (await freePorts(1)) as [number]
    baseUrl = `http://127.0.0.1:${port}`
    child = start(port)
    await becomesTrue('shipping in Python to answer', async () => (await fetch(`${baseUrl}/health/ready`)).ok, 30_000)
    // It answers before its queue is there, and the watch's queue would take what is told until then.
    const bound = async () => (await bindingsOf(vhost.url, 'banyan.shipping')).includes('OrderCancelled')
    await becomesTrue('its queue to be bound', bound, 30_000)
  })
  afterAll(async () => {
    await child?.stop()
    await Promise.all([teller?.close(), watch?.close(), db?.end()])
    await Promise.all([database?.drop(), vhost?.drop(), folder && rm(folder, { recursive: true })])
  })

  it('takes nothing while the monolith owns shipping, and what has waited afterwards', async () => {
    await teller.tell({ type: 'OrderConfirmed', orderId: 1, userId: 2 })
    const connection = await connect(vhost.url)
    const channel = await connection.createChannel()
    expect(await channel.checkQueue('banyan.shipping')).toMatchObject({ messageCount: 1, consumerCount: 0 })
    await own('service')
    const events = async () => (await db.query('select type from shipment_events order by id')).rows
    await expect.poll(events, { timeout: 10_000 }).toEqual([{ type: 'prepared' }, { type: 'dispatched' }])

    await own('monolith')
    await expect.poll(async () => (await channel.checkQueue('banyan.shipping')).consumerCount, PATIENT).toBe(0)
    await connection.close()
    await own('service')
  })

  // The very tests that the monolith passes: a client cannot tell who answers.
  contractSuite(['common', 'shipping'], () => ({ baseUrl, tell: teller.tell, ...tokens }))

  it('handles an event once, however often it hears of it', async () => {
    const id = await teller.tell({ type: 'OrderCancelled', orderId: 11, userId: 2 })
    await teller.tell({ id, type: 'OrderCancelled', orderId: 12, userId: 2 })
    await teller.tell({ type: 'OrderCancelled', orderId: 13, userId: 2 })
    const orders = async () =>
      (await db.query('select order_id::int as id from shipments where order_id between 11 and 13 order by 1')).rows
    await expect.poll(orders, PATIENT).toContainEqual({ id: 13 })
    expect(await orders()).toEqual([{ id: 11 }, { id: 13 }])
  })

  it('puts what is no event among the dead letters, where `banyan dlq` finds it', async () => {
    const connection = await connect(vhost.url)
    const channel = await connection.createConfirmChannel()
    channel.sendToQueue('banyan.shipping', Buffer.from('{'), { messageId: 'broken', persistent: true })
    await channel.waitForConfirms()
    const dead = async () => await channel.get('banyan.shipping.dead', { noAck: true })
    await expect
      .poll(dead, PATIENT)
      .toMatchObject({ properties: { messageId: 'broken', headers: { 'x-banyan-reason': 'unreadable' } } })
    await connection.close()
  })

  it('counts what fails, and tries it again', async () => {
    await db.query('alter table shipments add constraint no_such_order check (order_id <> 21) not valid')
    await teller.tell({ type: 'OrderCancelled', orderId: 21, userId: 2 })
    const failures = async () => (await db.query('select attempts from banyan.inbox_failures')).rows[0]?.attempts
    await expect.poll(failures, PATIENT).toBeGreaterThan(0)
    await db.query('alter table shipments drop constraint no_such_order')
    await expect.poll(failures, PATIENT).toBeUndefined()
    expect((await db.query('select status from shipments where order_id = 21')).rows).toEqual([{ status: 'cancelled' }])
  })

  it('does not take it for the message’s fault that the database ends its connections, however often', async () => {
    const holder = await db.connect()
    try {
      // Its handler waits for this, and its connection is ended meanwhile: five times, and each time the message comes again.
      await holder.query('begin; lock table shipments in access exclusive mode')
      await teller.tell({ type: 'OrderCancelled', orderId: 31, userId: 2 })
      const ended = new Set<number>()
      const endWaiting = async () => {
        const { rows } = await db.query(
          `select pid, pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and wait_event_type = 'Lock' and query ~ 'insert into shipments'`,
        )
        for (const { pid } of rows) ended.add(pid)
        return ended.size
      }
      await expect.poll(endWaiting, { timeout: 40_000 }).toBeGreaterThanOrEqual(5)
    } finally {
      await holder.query('rollback')
      holder.release()
    }
    const order = async () => (await db.query('select status from shipments where order_id = 31')).rows
    await expect.poll(order, PATIENT).toEqual([{ status: 'cancelled' }])
  }, 90_000)

  it('refuses tokens that are over, of others, or of another kind', async () => {
    const ask = async (token: string) => {
      const headers = { authorization: `Bearer ${token}` }
      const answer = await fetch(`${baseUrl}/api/orders/1/shipment`, { headers })
      return ((await answer.json()) as { code?: string }).code
    }
    expect(await ask(tokenOf(2))).toBeUndefined()
    expect(await ask(tokenOf(2, -1))).toBe('invalid-token')
    expect(await ask(userToken(newKey('users'), { sub: '2', role: 'customer' }))).toBe('invalid-token')
    expect(await ask(userToken({ ...users, kid: 'other' }, { sub: '2', role: 'customer' }))).toBe('invalid-token')
  })

  it('has told of it in events that keep their schemas, and noted them as published', async () => {
    const waiting = async () =>
      (await db.query('select count(*)::int as n from banyan.outbox where published_at is null')).rows[0].n
    await expect.poll(waiting, PATIENT).toBe(0)
    expect(watch.types()).toContain('ShipmentDispatched')
    expect(watch.faults()).toEqual([])
  })

  it('ends in order', async () => {
    const asked = Date.now()
    await child.stop()
    expect(await child.ended).toEqual({ code: 0, signal: null })
    expect(Date.now() - asked).toBeLessThan(8_000)
  })

  function start(port: number): Child {
    const env = {
      ...{ HOST: '127.0.0.1', PORT: String(port), DATABASE_URL: database.url, AMQP_URL: vhost.url },
      JWT_JWKS: JSON.stringify({ keys: [publicKey(users)] }),
      JWT_ISSUER: 'banyan-shop',
      SHIPPING_DELAY_MS: '0',
    }
    return startCommand('shipping', [python ?? '', MAIN], env, join(folder, 'shipping.log'), ROOT)
  }

  async function own(owner: 'monolith' | 'service'): Promise<void> {
    await db.query("update banyan.owner set owner = $1, term = term + 1 where context = 'shipping'", [owner])
  }

  function tokenOf(user: number, seconds?: number): string {
    return userToken(users, { sub: String(user), role: 'customer' }, seconds)
  }
})

const PATIENT = { timeout: 20_000 }
