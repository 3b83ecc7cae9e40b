import { createServer } from 'node:net'
import { Router } from 'express'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type Disposable } from '../../tests/support/infra.ts'
import { newKey } from '../../tests/support/keys.ts'
import { fromPg, installControl } from '../ownership/index.ts'
import { publicJwks, readConfig, serviceConfig, startService } from './index.ts'

let control: Disposable
let pool: pg.Pool
beforeAll(async () => {
  control = await createTestDatabase()
  pool = new pg.Pool({ connectionString: control.url, max: 2 })
  // The database is dropped while its last connections are still closing.
  pool.on('error', () => undefined)
  await installControl(fromPg(pool))
  await pool.query("insert into banyan.contexts (context, hold) values ('goods', true)")
})
afterAll(async () => {
  await pool.end()
  await control.drop()
})

type Look<T> = (pass: () => Promise<unknown>) => Promise<T>

/** Starts a process of one context; `look` looks when the context's background work begins. */
const startGoods = (controlUrl: string, look: Look<void>, more: Record<string, string> = {}) =>
  startService({
    name: 'goods-service',
    side: 'service',
    sources: import.meta.dirname,
    config: readConfig(serviceConfig, {
      PORT: '0',
      LOG_LEVEL: 'silent',
      DATABASE_URL: control.url,
      CONTROL_DATABASE_URL: controlUrl,
      JWT_JWKS: JSON.stringify(publicJwks({ keys: [newKey('users')] })),
      JWT_ISSUER: 'test',
      ...more,
    }),
    connect: () => ({ destroy: async () => undefined }),
    contexts: ({ gate }) => [
      {
        routes: Router(),
        start() {
          void look(() => gate.pass(['goods'], async () => 'begun'))
          return { close: async () => undefined }
        },
      },
    ],
    ownProcess: false,
  })

/** What was seen when the background work began. */
async function seenAtStart<T>(controlUrl: string, look: Look<T>): Promise<T> {
  let seen: Promise<T> | undefined
  const served = await startGoods(controlUrl, async (pass) => {
    seen = look(pass)
  })
  await served.close()
  return seen!
}

it('rule 17: begins no background work before movers wait for the process, and it has seen the hold that stands', async () => {
  const seen = await seenAtStart(control.url, async (pass) => ({
    begun: await pass(),
    subscribers: (await pool.query('select kind, context from banyan.subscribers')).rows,
  }))
  expect(seen).toEqual({ begun: undefined, subscribers: [{ kind: 'worker', context: 'goods' }] })
})

it('starts without a control database that says nothing, and works on what it knows: that nothing is held', async () => {
  const mute = createServer(() => undefined)
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
  const { port } = mute.address() as { port: number }
  try {
    expect(await seenAtStart(`postgres://nobody@127.0.0.1:${port}/none`, (pass) => pass())).toBe('begun')
  } finally {
    mute.close()
  }
})

it('says that it is not ready for as long as it is told, before it takes no more requests', async () => {
  const served = await startGoods(control.url, async () => undefined, { SHUTDOWN_UNREADY_MS: '2000' })
  const closing = served.close()
  expect((await fetch(`${served.url}/health/ready`)).status).toBe(503)
  await closing
  await expect(fetch(`${served.url}/health/ready`)).rejects.toThrow('fetch failed')
})
