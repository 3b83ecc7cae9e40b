/** Two stages as containers, one after the other on the same volumes, and back; from clean volumes. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { imagesOf } from '../../compose/images/tags.ts'
import { docker, openShop, type Shop, tag } from './compose.ts'

const HEALTHY_S = 90
const [FIRST, THEN, BETWEEN] = ['0-monolith', '3-inventory', '2-subscribers'] as const
const images = [...imagesOf(new URL('../..', import.meta.url).pathname).values()].map((name) => `${name}:${tag()}`)
let shop: Shop
const orders = () => shop.count(THEN, 'shop', 'orders')

beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.drop())

test.each(images)('%s runs as nobody, from a bare image', async (image) => {
  const { Config } = JSON.parse(await docker('inspect', '--type', 'image', '--format', '{{json .}}', image))
  expect(Config.User).toBe('65532:65532')
  expect(Config.Entrypoint).toEqual(['/nodejs/bin/node'])
  const seen = await docker(
    ...['run', '--rm', '--read-only', '--cap-drop', 'ALL', '--network', 'none', image, '-p'],
    `JSON.stringify([process.getuid(), ...['/bin/sh', '/bin/bash', '/usr/bin/npm', '/usr/local/bin/npm', '/app/node_modules/.bin/npm', '/app/node_modules/vitest']
      .filter((file) => require('node:fs').existsSync(file))])`,
  )
  expect(JSON.parse(seen)).toEqual([65532])
})

test('every stage is a file that Compose takes', async () => {
  const { STAGES } = await import('../../compose/provision/services.ts')
  for (const stage of STAGES) await shop.compose(stage, '--profile', '*', 'config', '--quiet')
})

test('the first stage comes up from nothing, and sells', async () => {
  expect(await shop.up(FIRST)).toBeLessThan(HEALTHY_S)
  expect(await shop.smoke(FIRST, 100)).toMatchObject({ confirmed: 100, left: 0, failed: 0 })
})

test('a later one goes on with the same shop; a context moves, and comes back, by the command line', async () => {
  const before = await orders()
  expect(before).toBeGreaterThanOrEqual(100)
  expect(await shop.up(THEN)).toBeLessThan(HEALTHY_S)
  expect(await orders()).toBe(before)
  expect(await shop.smoke(THEN, 10)).toMatchObject({ confirmed: 10, left: 0, failed: 0 })
  const tools = (...args: string[]) => shop.compose(THEN, 'run', '--rm', 'tools', ...args)
  for (const verb of ['prepare', 'backfill', 'verify']) await tools(verb, 'inventory')
  // No parity run has seen these images.
  await tools('switch', 'inventory', '--without-parity', 'a test of the containers')
  expect(await owner()).toBe('service')
  expect(await shop.smoke(THEN, 10)).toMatchObject({ confirmed: 10, left: 0, failed: 0 })
  for (const verb of ['rollback', 'unprepare']) await tools(verb, 'inventory')
  expect(await owner()).toBe('monolith')

  async function owner(): Promise<string> {
    return JSON.parse(await tools('status', 'inventory', '--json')).owner
  }
})

test('and the way back is the stage before, on the same volumes', async () => {
  const before = await orders()
  await shop.up(BETWEEN)
  expect(await shop.compose(BETWEEN, 'ps', '--services')).not.toContain('inventory-service')
  expect(await orders()).toBe(before)
  expect(await shop.smoke(BETWEEN, 10)).toMatchObject({ confirmed: 10, left: 0, failed: 0 })
})

test('35. whoever is asked to stop stops in good order', async () => {
  for (const service of ['monolith', 'proxy', 'mover', 'notification-service', 'payment-provider', 'smtp-sink']) {
    const id = await shop.container(BETWEEN, service)
    await docker('stop', '--time', '30', id)
    expect({ service, code: await docker('inspect', '--format', '{{.State.ExitCode}}', id) }).toEqual({
      service,
      code: '0',
    })
  }
})
