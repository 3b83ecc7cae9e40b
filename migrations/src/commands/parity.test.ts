import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'

it('leaves no report of an earlier run behind when a run cannot be made', () => {
  const folder = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
  try {
    const reports = ['report.html', 'report.json', 'junit.xml'].map((name) => join(folder, name))
    for (const report of reports) writeFileSync(report, 'alike')
    const cli = resolve(import.meta.dirname, '../cli.ts')
    const { status, stderr } = spawnSync(process.execPath, [cli, 'parity', 'goods', '--report', folder])
    expect([status, String(stderr)]).toEqual([2, expect.stringContaining('say --left URL and --right URL')])
    expect(reports.filter((report) => existsSync(report))).toEqual([])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
