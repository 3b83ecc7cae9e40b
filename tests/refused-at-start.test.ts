import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { endWithRunner } from './support/end-with-runner.ts'

// A process that is told something wrong says so and ends, before it speaks to anybody: nothing listens at these.
const NOWHERE = { CONTROL_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/control', AMQP_URL: 'amqp://127.0.0.1:1' }
const KEY = 'a key of sixteen letters'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'banyan-refused-'))
  writeFileSync(
    join(folder, 'goods.yaml'),
    'context: goods\ndatabases: { monolith: shop, service: goods }\ntabels: []\n',
  )
  const rule = '  - { method: GET, path: /api/goods, context: good, access: read }\n'
  writeFileSync(join(folder, 'routes'), `contexts: { goods: goods-service }\nroutes:\n${rule}`)
})
afterAll(() => rmSync(folder, { recursive: true }))

async function started(script: string, args: string[], env: Record<string, string>) {
  const child = endWithRunner(
    spawn(process.execPath, [resolve(import.meta.dirname, '..', script), ...args], {
      env: { PATH: process.env.PATH, ...NOWHERE, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    }),
  )
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text
  })
  const [code] = await once(child, 'close')
  return { code, said }
}

test('a mover whose plan has a mistake does not start: it names file, line and remedy', async () => {
  const { code, said } = await started('migrations/src/cli.ts', ['run'], { BANYAN_PLANS: folder })
  expect(code).not.toBe(0)
  expect(said).toMatch(/goods\.yaml:3: the plan has the unknown key "tabels"\. Remedy: /)
})

test('a mover whose plan names a database without an address does not start: it names file, line and variable', async () => {
  const plan = join(folder, 'nowhere.yaml')
  writeFileSync(plan, 'context: goods\ndatabases: { monolith: shop, service: nowhere }\ntables: [goods]\n')
  const { code, said } = await started('migrations/src/cli.ts', ['run'], {
    BANYAN_PLANS: plan,
    DATABASE_URL_SHOP: NOWHERE.CONTROL_DATABASE_URL,
  })
  expect(code).toBe(2)
  expect(said).toMatch(/nowhere\.yaml:2: .*DATABASE_URL_NOWHERE is not set\. Remedy: /)
})

test('a proxy whose route table has a mistake does not start: it names file, line and remedy', async () => {
  const { code, said } = await started('strangler-proxy/src/main.ts', [], {
    PORT: '0',
    OPS_PORT: '0',
    UNLEASH_URL: 'http://127.0.0.1:1',
    UNLEASH_TOKEN: 'none',
    MONOLITH_URL: 'http://127.0.0.1:1',
    ROUTES: join(folder, 'routes'),
    COOKIE_KEY: KEY,
    OVERRIDE_KEY: KEY,
    OPS_TOKEN: KEY,
  })
  expect(code).toBe(1)
  expect(said).toMatch(
    /routes:3: unknown context "good"; known are goods\. Remedy: correct it, or add it to "contexts"/,
  )
})
