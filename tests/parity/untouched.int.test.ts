import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ShopProcess, startShopProcess } from '../contracts/shop-process.ts'
import { endWithRunner } from '../support/end-with-runner.ts'
import { parity, readReport } from './run-parity.ts'

const CLI = join(import.meta.dirname, '../../migrations/src/cli.ts')
const folder = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
let shop: ShopProcess
beforeAll(async () => {
  shop = await startShopProcess()
}, 60_000)
afterAll(async () => {
  await shop.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Of each of its tables, how many rows it has and a hash over them all. */
async function rowsOfShop(): Promise<Record<string, string>> {
  const client = new pg.Client({ connectionString: shop.databaseUrl })
  await client.connect()
  const found: Record<string, string> = {}
  const { rows } = await client.query(
    `select format('%I.%I', schemaname, relname) as name from pg_stat_user_tables order by 1`,
  )
  for (const { name } of rows) {
    const { rows: seen } = await client.query(
      `select count(*) || ' ' || md5(coalesce(string_agg(t::text, '' order by t::text), '')) as all from ${name} t`,
    )
    found[name] = seen[0].all
  }
  await client.end()
  return found
}

it('a run writes nothing into a shop that is up on the same servers', async () => {
  const before = await rowsOfShop()
  expect(Number.parseInt(before['public.products'] ?? '', 10)).toBeGreaterThan(10)
  const { said } = await parity(folder, 'inventory', '--requests', '50')
  expect(readReport(folder), said).toMatchObject({ verdict: 'alike' })
  expect(await rowsOfShop()).toEqual(before)
}, 240_000)

it('a shop that nobody has called a copy is asked nothing', async () => {
  const before = await rowsOfShop()
  const sides = ['--left', shop.baseUrl, '--right', shop.baseUrl]
  const child = endWithRunner(
    spawn(process.execPath, [CLI, 'parity', 'inventory', ...sides], { cwd: join(CLI, '../../..') }),
  )
  const [[code], said] = await Promise.all([once(child, 'exit'), text(child.stderr!)])
  expect([code, said]).toEqual([2, expect.stringContaining('left and right is not declared a sandbox')])
  expect(await rowsOfShop()).toEqual(before)
}, 60_000)
