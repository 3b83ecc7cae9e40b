import { afterAll, beforeAll, expect, it } from 'vitest'
import { killAt } from './testing/kill.ts'
import { cliEnvironment } from './testing/mover-process.ts'
import { createWorld, type World } from './testing/world.ts'
import { startWriters } from './testing/writers.ts'

/** Around the point of no return; every point in both directions is the long test's. */
const POINTS = [
  'after-hold',
  'after-fence',
  'after-owner-commit',
  'before-owner-commit',
  'after-unfence',
  'after-release',
]

let world: World
let cli: Awaited<ReturnType<typeof cliEnvironment>>
beforeAll(async () => {
  world = await createWorld({ rows: 300 })
  cli = await cliEnvironment(world)
})
afterAll(async () => {
  await cli.drop()
  await world.drop()
})

it('killed around the owner commit of a switch or rollback under writes, a move ends well and no write is lost', {
  timeout: 300_000,
}, async () => {
  const mover = world.start()
  await world.makeReady()
  await mover.stop()
  const writers = startWriters(world)
  try {
    for (const point of POINTS) await killAt(world, cli.env, point)
  } finally {
    await writers.stop()
  }
  expect(writers.accepted()).toBeGreaterThan(50)
  await writers.check()
})
