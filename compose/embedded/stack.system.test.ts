import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Stack, startStack } from './stack.ts'
import { becomesTrue } from './wait.ts'

let stack: Stack

beforeAll(async () => {
  stack = await startStack({ name: 'test', stage: 0, ports: 'any', announce: () => undefined })
})

afterAll(async () => {
  await stack?.stop()
})

async function sells(): Promise<boolean> {
  const url = stack.env.MONOLITH_URL
  const answer = await fetch(`${url}/api/products?size=1`, { signal: AbortSignal.timeout(5_000) })
  return answer.ok && ((await answer.json()) as { total: number }).total >= 1_000
}

test('a process stopped through the door ends without the stack being broken by it', async () => {
  const { STACK_URL, STACK_TOKEN } = stack.env
  const monolith = stack.process('monolith')
  const stop = () =>
    fetch(`${STACK_URL}/processes/monolith/stop`, {
      method: 'POST',
      headers: { authorization: `Bearer ${STACK_TOKEN}` },
    })
  expect((await stop()).status).toBe(200)
  expect(await monolith.ended).toEqual({ code: 0, signal: null })
  expect((await stop()).status).toBe(404)
  expect(await Promise.race([stack.broken, 'whole'])).toBe('whole')
  await stack.restart('monolith')
  expect(await sells()).toBe(true)
})

test('the shop sells again after PostgreSQL was stopped and started on its data', async () => {
  expect(await sells()).toBe(true)
  await stack.restart('postgres')
  await becomesTrue('the shop to sell', sells, 30_000)
})

test('RabbitMQ comes back on its data, with its accounts', async () => {
  await stack.restart('rabbitmq')
  expect(stack.process('rabbitmq').isRunning()).toBe(true)
  await becomesTrue('the shop to sell', sells, 30_000)
})

test('a killed monolith is started again by its name', async () => {
  stack.process('monolith').signal('SIGKILL')
  await stack.process('monolith').ended
  await stack.restart('monolith')
  expect(await sells()).toBe(true)
})

test('a role of the shop reaches no other database', async () => {
  const { connected, inDatabase } = await import('../provision/database.ts')
  const outside = inDatabase(stack.databases.side('shop').app, 'banyan_control')
  await expect(connected(outside, (client) => client.query('select 1'))).rejects.toThrow('permission denied')
})
