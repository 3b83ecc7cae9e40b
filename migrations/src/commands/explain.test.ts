import { once } from 'node:events'
import { createServer } from 'node:net'
import { connectBroker } from '@banyan/kit/broker'
import { createFlagAdmin } from '@banyan/kit/flags/admin'
import { createLogger } from '@banyan/kit/service'
import { expect, it } from 'vitest'
import { explain } from './explain.ts'

/** A port at which nothing listens any more. */
async function deserted(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
const failure = (work: Promise<unknown>) => work.then(() => undefined, explain)

it('says where nothing listens, of Unleash and of a name with several addresses as well', async () => {
  const port = await deserted()
  const text = `failed: nothing listens at 127.0.0.1:${port}; is it started, and is the URL right?`
  const url = `http://127.0.0.1:${port}/api`
  const admin = createFlagAdmin({ url, adminToken: 'none', environment: 'development' })
  const flag = await failure(admin.share('goods-reads'))
  expect(flag).toMatchObject({ exitCode: 1, text, value: { code: 'ECONNREFUSED' } })
  const each = ['::1', '127.0.0.1'].map((address) =>
    Object.assign(new Error(), { code: 'ECONNREFUSED', address, port }),
  )
  expect(explain(new AggregateError(each, '')).text).toContain(`nothing listens at ::1:${port};`)
})

it('says what to look at where the broker cannot be reached, and where there is no such host', async () => {
  const url = `amqp://127.0.0.1:${await deserted()}`
  const broker = connectBroker({ url, name: 'test', logger: createLogger({ name: 'test', level: 'silent' }) })
  const depth = await failure(broker.depth('any'))
  await broker.close()
  expect(depth?.text).toBe('failed: RabbitMQ did not answer in time; is it started, and is AMQP_URL right?')
  expect(explain(Object.assign(new Error(), { code: 'ENOTFOUND', hostname: 'nowhere' })).text).toBe(
    'failed: there is no host "nowhere"; is the URL right?',
  )
})
