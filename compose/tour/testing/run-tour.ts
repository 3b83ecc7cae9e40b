import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { endWithRunner } from '../../../tests/support/end-with-runner.ts'
import { ROOT } from '../../embedded/stack.ts'
import type { Report } from '../report.ts'

// Below the tour's own rate: it shares the machine with the runner, and the proof is in the ledger, not in the speed.
const RATE = '20'

/** Runs `npm start -- --auto` with more options, whose rate counts, on servers of its own; it has to end well, with an exact ledger. */
export async function runTour(...options: string[]): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'banyan-tour-'))
  try {
    const file = join(folder, 'report.json')
    const { DATABASE_URL: _, AMQP_URL: __, UNLEASH_URL: ___, ...env } = process.env
    const args = ['compose/tour/main.ts', '--auto', '--rate', RATE, ...options, '--report', file]
    const tour = endWithRunner(spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] }))
    let said = ''
    tour.stdout.on('data', (part) => {
      said += part
    })
    const code = await new Promise((resolve) => tour.on('close', resolve))
    expect(code, said.slice(-6_000)).toBe(0)
    expect(said).toMatch(/^banyan: traffic flows, \d+(\.\d)? s after the start$/m)
    const report = JSON.parse(readFileSync(file, 'utf8')) as Report
    expect(report.ok).toBe(true)
    expect(report.ledger).toMatchObject({
      ordersMissing: 0,
      ordersDuplicated: 0,
      stockDrift: 0,
      moneyDriftCents: 0,
      emailsMissing: 0,
      emailsDuplicated: 0,
    })
    return report
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
