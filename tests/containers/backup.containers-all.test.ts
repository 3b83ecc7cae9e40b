/** A shop is kept and brought back by the commands of docs/operate.md, in the middle of a move. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { STAGES } from '../../compose/provision/services.ts'
import { openShop, type Shop } from './compose.ts'

const PAGE = readFileSync(new URL('../../docs/operate.md', import.meta.url), 'utf8')
const [, section = ''] = PAGE.split('## Backup and restore\n')
const [keep = '', bringBack = ''] = section.split('\n## ')[0]?.match(/(?:^ {4}.*\n)+/gm) ?? []
/** The one that the commands name. */
const STAGE = STAGES.at(-2) as string
const folder = mkdtempSync(join(tmpdir(), 'banyan-backup-'))
let shop: Shop

beforeAll(async () => {
  shop = await openShop()
})
afterAll(async () => {
  await shop.drop()
  rmSync(folder, { recursive: true })
})

const orders = () => shop.count(STAGE, 'shop', 'orders')
const tools = (...args: string[]) => shop.compose(STAGE, 'run', '--rm', 'tools', ...args)

test('what was sold and moved is there again, what came later is not, and the shop goes on from there', async () => {
  await shop.up(STAGE)
  expect(await shop.smoke(STAGE, 20)).toMatchObject({ confirmed: 20, failed: 0 })
  for (const verb of ['prepare', 'backfill', 'verify']) await tools(verb, 'inventory')
  await tools('switch', 'inventory', '--without-parity', 'a test of the containers')
  expect(await shop.smoke(STAGE, 5)).toMatchObject({ confirmed: 5, failed: 0 })
  const kept = await orders()

  await shop.shell(`set -e\nBACKUP='${folder}'\n${keep}`)
  expect(await shop.smoke(STAGE, 5)).toMatchObject({ confirmed: 5, failed: 0 })
  expect(await orders()).toBeGreaterThan(kept)

  await shop.shell(`set -e\nBACKUP='${folder}'\n${bringBack}`)
  expect(await orders()).toBe(kept)
  expect(JSON.parse(await tools('status', 'inventory', '--json'))).toMatchObject({ owner: 'service' })
  expect(await shop.smoke(STAGE, 10)).toMatchObject({ confirmed: 10, failed: 0 })
  await tools('verify', 'inventory')
  for (const verb of ['rollback', 'unprepare']) await tools(verb, 'inventory')
  expect(await shop.smoke(STAGE, 10)).toMatchObject({ confirmed: 10, failed: 0 })
})
