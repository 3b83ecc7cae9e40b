import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../embedded/stack.ts'
import { STAGES } from '../provision/services.ts'
import type { Report } from './report.ts'

// Which processes die, and when: another seed is another story, and each has to end well.
const SEED = process.env.CHAOS_SEED ?? '9'
// Below the tour's own rate: it shares the machine with the runner, and the proof is in the ledger, not in the speed.
const RATE = '20'

test('the whole playbook ends well though a process is killed in every chapter, and fails nobody but who was at it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'banyan-chaos-'))
  const file = join(folder, 'report.json')
  const { DATABASE_URL: _, AMQP_URL: __, UNLEASH_URL: ___, ...env } = process.env
  const args = ['compose/tour/main.ts', '--auto', '--rate', RATE, '--chaos', SEED, '--report', file]
  const tour = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  tour.stdout.on('data', (part) => {
    said += part
  })
  const code = await new Promise((resolve) => tour.on('close', resolve))
  expect(code, said.slice(-6_000)).toBe(0)

  const { ok, stages, traffic, ledger, chaos } = JSON.parse(readFileSync(file, 'utf8')) as Report
  rmSync(folder, { recursive: true })
  expect(ok).toBe(true)
  expect(stages.map((stage) => stage.name)).toEqual([...STAGES])
  expect(chaos?.kills.map((kill) => kill.stage)).toEqual([...STAGES])
  expect(traffic.failed).toBe(chaos?.kills.reduce((sum, kill) => sum + kill.failedAtIt, 0))
  expect(ledger).toMatchObject({
    ordersMissing: 0,
    ordersDuplicated: 0,
    stockDrift: 0,
    moneyDriftCents: 0,
    emailsMissing: 0,
    emailsDuplicated: 0,
  })
  expect(ledger.ordersAcknowledged).toBeGreaterThan(100)
})
