// What the tests of broker, outbox and inbox stand on: a database and a virtual host of their own, both real.

import pg from 'pg'
import { createTestDatabase, createTestVhost, rabbitApi } from '../../../tests/support/infra.ts'
import { type Broker, connectBroker, type Log } from '../../broker/index.ts'
import { installInbox } from '../../inbox/install.ts'
import { fromPg, type Sql } from '../../sql.ts'
import { inTransaction } from '../../testing/in-transaction.ts'
import { installOutbox } from '../install.ts'

export interface World {
  databaseUrl: string
  brokerUrl: string
  vhost: string
  pool: pg.Pool
  sql: Sql
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T>
  broker: Broker
  log: Log & { lines: string[] }
  /** Calls the broker's management API. */
  api(method: string, path: string, body?: object): Promise<unknown>
  /** Closed, newest first, before the rest of the world. */
  onClose(close: () => Promise<unknown>): void
  close(): Promise<void>
}

export async function createWorld(): Promise<World> {
  const database = await createTestDatabase()
  const host = await createTestVhost()
  const pool = new pg.Pool({ connectionString: database.url, max: 20 })
  pool.on('error', () => undefined)
  const sql = fromPg(pool)
  await installOutbox(sql)
  await installInbox(sql)
  const log = createLog()
  const broker = connectBroker({ url: host.url, name: 'test', logger: log })
  const closers: (() => Promise<unknown>)[] = [
    () => host.drop(),
    () => database.drop(),
    () => pool.end(),
    () => broker.close(),
  ]
  return {
    databaseUrl: database.url,
    brokerUrl: host.url,
    vhost: new URL(host.url).pathname.slice(1),
    pool,
    sql,
    transaction: (work) => inTransaction(pool, work),
    broker,
    log,
    api: callApi,
    onClose: (close) => closers.push(close),
    async close() {
      for (const close of closers.reverse()) await close()
    },
  }
}

/** Polls until `condition` holds. @throws with what was waited for, after `timeoutMs` */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 15_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

function createLog(): World['log'] {
  const lines: string[] = []
  const write = (level: string) => (fields: object, message: string) => {
    lines.push(`${level} ${message} ${'err' in fields ? String(fields.err) : ''}`)
  }
  return { lines, debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

async function callApi(method: string, path: string, body?: object): Promise<unknown> {
  const url = new URL(rabbitApi())
  const authorization = `Basic ${Buffer.from(`${url.username}:${url.password}`).toString('base64')}`
  url.username = url.password = ''
  const response = await fetch(`${url.href.replace(/\/$/, '')}/${path}`, {
    method,
    // It gives up idle connections by itself: none is used twice.
    headers: { authorization, 'content-type': 'application/json', connection: 'close' },
    body: body && JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
  const text = await response.text()
  return text === '' ? undefined : JSON.parse(text)
}
