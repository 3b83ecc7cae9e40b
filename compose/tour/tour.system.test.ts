import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../embedded/stack.ts'
import type { Report } from './report.ts'

// Below the tour's own rate: it shares the machine with the runner, and the proof is in the ledger, not in the speed.
const RATE = '20'

test('the playbook moves inventory under traffic, back, and again, and nothing is lost', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'banyan-tour-'))
  const file = join(folder, 'report.json')
  const { DATABASE_URL: _, AMQP_URL: __, UNLEASH_URL: ___, ...env } = process.env
  const args = ['compose/tour/main.ts', '--auto', '--through', '3-inventory', '--rate', RATE, '--report', file]
  const tour = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  tour.stdout.on('data', (part) => {
    said += part
  })
  const code = await new Promise((resolve) => tour.on('close', resolve))
  expect(code, said.slice(-6_000)).toBe(0)

  const report = JSON.parse(readFileSync(file, 'utf8')) as Report
  rmSync(folder, { recursive: true })
  expect(report.ok).toBe(true)
  expect(report.traffic.failed).toBe(0)
  expect(report.ledger).toMatchObject({
    ordersMissing: 0,
    ordersDuplicated: 0,
    stockDrift: 0,
    moneyDriftCents: 0,
    emailsMissing: 0,
    emailsDuplicated: 0,
  })
  expect(report.ledger.ordersAcknowledged).toBeGreaterThan(20)
  const inventory = report.stages.find((stage) => stage.name === '3-inventory')
  expect(inventory?.switches.map((each) => each.direction)).toEqual(['to-service', 'to-monolith', 'to-service'])
  expect(inventory?.rows).toMatchObject({ different: 0 })
  expect(inventory?.rows.copied).toBeGreaterThan(1_000)
})
