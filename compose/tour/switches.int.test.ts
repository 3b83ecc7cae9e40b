import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type Disposable } from '../../tests/support/infra.ts'
import { ROOT } from '../embedded/stack.ts'
import { connected } from '../provision/database.ts'
import { beganAfter } from './switches.ts'

let control: Disposable
beforeEach(async () => {
  control = await createTestDatabase()
  const env = { CONTROL_DATABASE_URL: control.url, BANYAN_PLANS: join(ROOT, 'migrations/shop/plans') }
  await promisify(execFile)(process.execPath, [join(ROOT, 'migrations/src/cli.ts'), 'init'], { env })
})
afterEach(() => control.drop())

/** Attempts by the seconds ago at which they began and ended; null: under way. */
const attempts = (...all: [began: number, ended: number | null][]) =>
  connected(control.url, async (db) => {
    for (const [token, [began, ended]] of all.entries())
      await db.query(
        `insert into banyan.attempts (context, token, direction, began_at, ended_at)
         values ('inventory', $1, 'to-service', clock_timestamp() - make_interval(secs => $2),
           clock_timestamp() - make_interval(secs => $3))`,
        [token, began, ended],
      )
  })

test('a switch begins with the first attempt that was under way since then, and one is under way until it ends', async () => {
  expect(await beganAfter(control.url, Date.now() - 10_000)).toBeUndefined()
  await attempts([60, 40], [8, 6], [5, null])
  const now = Date.now()
  const began = await beganAfter(control.url, now - 10_000)
  expect(began).toBeGreaterThan(now - 8_000 - 5_000)
  expect(began).toBeLessThanOrEqual(now - 8_000 + 5_000)
  expect(await beganAfter(control.url, now - 1_000)).toBeGreaterThan(now - 6_500)
  expect(await beganAfter(control.url, now - 50_000)).toBeLessThan(now - 59_000)
})
