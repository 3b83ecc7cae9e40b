import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { parity, readReport } from './run-parity.ts'

const folder = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it.each([21, 22, 23])(
  'users are alike by the scenarios and in 1,000 generated requests of seed %i, which cover the whole contract',
  async (seed) => {
    const options = ['--requests', '1000', '--seed', String(seed), '--coverage']
    const { code, said } = await parity(folder, 'users', ...options)
    expect(readReport(folder)).toMatchObject({
      verdict: 'alike',
      differences: [],
      doubtful: [],
      uncovered: [],
      onlyRefused: [],
    })
    expect(code, said).toBe(0)
    for (const text of [said, JSON.stringify(readReport(folder))]) expect(text).not.toMatch(/eyJ[\w-]+\.|argon2/)
  },
  600_000,
)
