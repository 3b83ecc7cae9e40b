import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { mutant } from '../../compose/parity/mutant.ts'
import { parity, readReport } from './run-parity.ts'

const folder = mkdtempSync(join(tmpdir(), 'banyan-clock-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const YEAR = new Date().getUTCFullYear() + 1
/** The worlds come up in the old year, and their last requests are of the new one. */
const SECONDS_LEFT = 8
const YEARS_END = ['--clock', `${YEAR}-12-31T23:59:${60 - SECONDS_LEFT}Z`, '--requests', '800']

it('the worlds have the clock they are given: what differs in another year alone is found there', async () => {
  for (const context of ['inventory', 'users', 'orders']) {
    const { code, said } = await parity(folder, context, ...YEARS_END)
    const report = readReport(folder)
    expect(report, said).toMatchObject({ verdict: 'alike', differences: [], doubtful: [] })
    expect(report.seconds).toBeGreaterThan(SECONDS_LEFT)
    expect(code, said).toBe(0)
  }
  const broken = mutant(
    {
      what: 'a year that is written into the code',
      file: 'products.ts',
      from: 'createdAt: row.created_at.toISOString()',
      to: `createdAt: row.created_at.toISOString().replace(/^${YEAR + 1}/, '1970')`,
    },
    901,
  )
  const options = ['inventory', '--service-file', join(broken, 'src/main.ts')]
  const now = await parity(folder, ...options, '--requests', '150')
  const then = await parity(folder, ...options, ...YEARS_END)
  rmSync(broken, { recursive: true })
  expect(now.code, now.said).toBe(0)
  expect(then.code, then.said).toBe(1)
  expect(readReport(folder).differences).toContainEqual(expect.objectContaining({ at: '$.body.createdAt' }))
}, 900_000)
