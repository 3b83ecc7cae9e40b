import { afterAll, beforeAll, it } from 'vitest'
import { killAt, SWITCH_POINTS } from './testing/kill.ts'
import { cliEnvironment } from './testing/mover-process.ts'
import { createWorld, type World } from './testing/world.ts'
import { startWriters } from './testing/writers.ts'

let world: World
let cli: Awaited<ReturnType<typeof cliEnvironment>>
beforeAll(async () => {
  world = await createWorld({ rows: 300 })
  cli = await cliEnvironment(world)
  const mover = world.start()
  await world.makeReady()
  await mover.stop()
})
afterAll(async () => {
  await cli.drop()
  await world.drop()
})

it('killed at every step of a switch and of a rollback under writes, a move ends well and no write is lost', async () => {
  const writers = startWriters(world)
  try {
    for (const point of SWITCH_POINTS) {
      await killAt(world, cli.env, point)
      await killAt(world, cli.env, point)
    }
  } finally {
    await writers.stop()
  }
  await writers.check()
})
