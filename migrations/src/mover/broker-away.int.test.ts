import { armFailPoints } from '@banyan/kit/service'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Mover } from './run.ts'
import { createWorld, until, type World } from './testing/world.ts'

/** Nothing listens there: to the mover RabbitMQ is away, whatever it tries. */
const AWAY = 'amqp://guest:guest@127.0.0.1:1'

let world: World
beforeAll(async () => {
  world = await createWorld({ rows: 50 })
  const mover = world.start()
  await world.makeReady()
  await mover.stop()
})
afterAll(async () => {
  armFailPoints('')
  await world.drop()
})

/** Lets a mover get no further than the point, then starts one that cannot reach the broker. */
async function restartWithoutBroker(point: string): Promise<Mover> {
  const armed = armFailPoints(`${point}=throw`)
  const mover = world.start({ budgetMs: 60_000 })
  await world.comeTo(point, armed)
  await mover.stop()
  armed.disarm()
  return world.start({ amqpUrl: AWAY, budgetMs: 1_000 })
}

it('with the broker away a mover that starts again in the middle of a switch calls it off, and the source opens', async () => {
  const mover = await restartWithoutBroker('mover.switch.after-fence')
  await until('the source to accept writes', 20_000, () =>
    world.db.shop.query('update products set price = price + 1 where id = 1').catch(() => null),
  )
  await until('the requests to be let go', 10_000, async () => !(await world.stored()).hold)
  await mover.stop()
})

it('with the broker away a mover that starts again after the owner commit opens the new owner', async () => {
  const mover = await restartWithoutBroker('mover.switch.before-unfence')
  await until('the new owner to accept writes', 20_000, () =>
    world.db.goods.query('update products set price = price + 1 where id = 1').catch(() => null),
  )
  await until('the switch to end', 10_000, async () => (await world.stored()).step === null)
  expect(await world.stored()).toMatchObject({ phase: 'switched', owner: 'service', hold: false })
  await mover.stop()
})
