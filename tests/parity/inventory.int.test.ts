import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parity, readReport } from './run-parity.ts'

const folder = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('inventory in the monolith and as a service', () => {
  it('are alike by the scenarios and a short generated run, which covers the whole contract', async () => {
    const { code, said } = await parity(folder, 'inventory', '--requests', '150', '--seed', '3', '--coverage')
    const report = readReport(folder)
    expect(report.differences).toEqual([])
    expect(report).toMatchObject({ verdict: 'alike', uncovered: [], onlyRefused: [] })
    expect(code, said).toBe(0)
    expect(report.compared).toBeGreaterThan(150)
    for (const file of ['report.json', 'report.html', 'junit.xml'])
      expect(readFileSync(join(folder, file), 'utf8')).not.toMatch(/eyJ[\w-]+\.|"d":"|Bearer /)
    expect(said).not.toMatch(/eyJ[\w-]+\./)
  }, 240_000)

  it('prove nothing where nothing can be compared', async () => {
    expect((await parity(folder, 'no-such-context')).code).toBe(2)
  })
})
