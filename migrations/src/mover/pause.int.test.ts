import { armFailPoints } from '@banyan/kit/service'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { askFor, intentState, openIntent } from '../control/intents.ts'
import { banyan, cliEnvironment } from './testing/mover-process.ts'
import { createWorld, until, type World } from './testing/world.ts'

let world: World
let cli: Awaited<ReturnType<typeof cliEnvironment>>
beforeAll(async () => {
  world = await createWorld({ rows: 8_000 })
  cli = await cliEnvironment(world)
})
afterEach(() => armFailPoints('').disarm())
afterAll(async () => {
  await cli.drop()
  await world.drop()
})

it('a copy is paused in the middle and goes on when it is told to', async () => {
  world.start()
  expect(await world.ask('prepare')).toMatchObject({ state: 'done' })
  const armed = armFailPoints('mover.copy.after-chunk=once:hang')
  const id = await askFor(world.db.control, { context: 'goods', verb: 'backfill', source: 'cli', who: 'test' })
  await until('the first chunk', 20_000, async () => armed.reached('mover.copy.after-chunk') > 0)
  const pausing = banyan({ ...cli.env, BANYAN_WHO: 'somebody' }, 'pause', 'goods', '--json')
  await until(
    'the pause to be asked for',
    20_000,
    async () => (await openIntent(world.db.control, 'goods'))?.args.pause,
  )
  armed.release('mover.copy.after-chunk')
  expect(await pausing).toMatchObject({ code: 0, out: expect.stringContaining('"done"') })
  expect(await world.stored()).toMatchObject({ phase: 'copying', paused: true })
  expect(await intentState(world.db.control, id!)).toMatchObject({
    state: 'failed',
    result: { because: 'paused by somebody; banyan resume goes on' },
  })

  expect(await banyan(cli.env, 'resume', 'goods')).toMatchObject({ code: 0 })
  await until('the copy to end', 20_000, async () => (await world.stored()).phase === 'following')
  const { rows } = await world.db.goods.query('select count(*)::int as count from products')
  expect(rows[0].count).toBe(8_000)
})
