import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { parity, readReport } from './run-parity.ts'

const folder = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it.each([11, 12, 13, 14, 15])(
  'inventory is alike in 2,000 generated requests of seed %i',
  async (seed) => {
    const { code, said } = await parity(folder, 'inventory', '--requests', '2000', '--seed', String(seed))
    const report = readReport(folder)
    expect(report).toMatchObject({ verdict: 'alike', differences: [], doubtful: [] })
    expect(report.comparerShare).toBeLessThanOrEqual(0.2)
    expect(code, said).toBe(0)
  },
  1_200_000,
)

it('the same seed asks the same, and is judged the same, three times', async () => {
  const runs = []
  for (let time = 0; time < 3; time++) {
    const { code } = await parity(folder, 'inventory', '--requests', '300', '--seed', '7')
    const { verdict, asked, compared } = readReport(folder)
    runs.push({ code, verdict, asked, compared })
  }
  expect(runs).toEqual(Array(3).fill({ ...runs[0], code: 0, verdict: 'alike' }))
}, 600_000)
