import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { parity, readReport } from './run-parity.ts'

const folder = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('shipping in the monolith and as a service are alike by what they hear and what they are asked', async () => {
  // Over the end of a year, by clocks of their own: whoever does not follow them refuses the tokens.
  const clock = ['--clock', '2027-12-31T23:59:50Z']
  const { code, said } = await parity(folder, 'shipping', '--requests', '80', '--seed', '3', '--coverage', ...clock)
  const report = readReport(folder)
  expect(report.differences).toEqual([])
  expect(report, said).toMatchObject({ verdict: 'alike', uncovered: [] })
  expect(code, said).toBe(0)
}, 240_000)
