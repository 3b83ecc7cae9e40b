/** A new shop may begin in any stage: from clean volumes, with the images built. */
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { STAGES } from '../../compose/provision/services.ts'
import { openShop, type Shop } from './compose.ts'

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const HEALTHY_S = 90
const [BEFORE, LAST] = STAGES.slice(-2) as [string, string]
let shop: Shop

beforeEach(async () => {
  shop = await openShop()
})
afterEach(() => shop.drop())

test.each(STAGES.slice(0, -1))('%s comes up from nothing, and sells', async (stage) => {
  const seconds = await shop.up(stage)
  expect(await shop.smoke(stage, 100)).toMatchObject({ confirmed: 100, left: 0, failed: 0 })
  expect(seconds).toBeLessThan(HEALTHY_S)
})

test('the last one does by the three commands of the README', async () => {
  const [secrets = '', up = '', smoke = ''] = README.split(' on Compose:\n\n')[1]?.trim().split('\n') ?? []
  await shop.shell(secrets)
  const started = performance.now()
  await shop.shell(up)
  const seconds = (performance.now() - started) / 1000
  console.log(`${LAST}: healthy after ${seconds.toFixed(1)} s`)
  expect(JSON.parse(await shop.shell(smoke))).toMatchObject({ confirmed: 100, left: 0, failed: 0 })
  expect(seconds).toBeLessThan(HEALTHY_S)
  expect(await shop.compose(LAST, 'ps', '--services')).not.toMatch(/monolith|mover/)
  const contexts = JSON.parse(await shop.compose(LAST, 'run', '--rm', 'tools', 'status', '--json'))
  expect(contexts.filter(({ phase }: { phase: string }) => phase !== 'completed')).toEqual([])
})

test('but a shop with orders does not come to the last one until its contexts are completed', async () => {
  await shop.up(BEFORE)
  await shop.smoke(BEFORE, 5)
  await expect(shop.up(LAST)).rejects.toThrow('contexts')
  expect(await shop.compose(LAST, 'logs', '--no-log-prefix', 'contexts')).toContain('in a shop with orders')
  await shop.up(BEFORE)
  expect(await shop.smoke(BEFORE, 5)).toMatchObject({ confirmed: 5, left: 0, failed: 0 })
})
