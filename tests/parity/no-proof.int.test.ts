import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, it } from 'vitest'
import { parityIn } from './run-parity.ts'

const folder = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
const reports = ['report.html', 'report.json', 'junit.xml'].map((name) => join(folder, name))
beforeEach(() => {
  for (const report of reports) writeFileSync(report, 'alike')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What it leaves for its logs is nobody's here. */
async function run(environment: Record<string, string>, ...options: string[]) {
  const ended = await parityIn(environment, folder, 'shipping', ...options)
  rmSync(ended.folder, { recursive: true })
  return ended
}

it('leaves no report of an earlier run behind when a world does not come up', async () => {
  const main = join(folder, 'main.ts')
  writeFileSync(main, 'process.exit(3)')
  const { code, said } = await run({}, '--service-file', main)
  expect([code, said]).toEqual([2, expect.stringContaining('shipping-service ended while starting')])
  expect(reports.filter((report) => existsSync(report))).toEqual([])
}, 120_000)

it('proves nothing, rather than a difference, when the comparison itself breaks down', async () => {
  // The code that Node ends with for an error that nobody caught is 1.
  const broken = `if(process.argv[1]?.endsWith('migrations/src/cli.ts'))throw'broken%20down'`
  const { code, said } = await run({ NODE_OPTIONS: `--import=data:text/javascript,${broken}` }, '--requests', '0')
  expect([code, said]).toEqual([2, expect.stringContaining('broken down')])
}, 120_000)
