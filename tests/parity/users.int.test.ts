import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { parity, readReport } from './run-parity.ts'

const folder = mkdtempSync(join(tmpdir(), 'banyan-parity-users-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('users are alike in the monolith and as a service, by the scenarios and a short generated run', async () => {
  const { code, said } = await parity(folder, 'users', '--requests', '60', '--seed', '3', '--coverage')
  const report = readReport(folder)
  expect(report.differences).toEqual([])
  expect(report).toMatchObject({ verdict: 'alike', uncovered: [] })
  expect(code, said).toBe(0)
}, 240_000)
