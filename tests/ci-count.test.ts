import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const passed = { status: 'passed', fullName: 'it sells', failureMessages: [] }
const failed = { status: 'failed', fullName: 'it pays', failureMessages: ['expected 1 to be 2\n    at pays.ts:3:1'] }
const report = (assertionResults: object[], message = '') => ({
  numPassedTests: assertionResults.filter((result) => result === passed).length,
  numFailedTests: assertionResults.filter((result) => result === failed).length,
  testResults: [
    {
      name: 'shop.test.ts',
      status: message || assertionResults.includes(failed) ? 'failed' : 'passed',
      message,
      assertionResults,
    },
  ],
})

/** What the count says of these runs, each an exit code and its report, and how it ends. */
function count(checks: number, ...runs: [number, object | undefined][]) {
  const folder = mkdtempSync(join(tmpdir(), 'banyan-count-'))
  const files = runs.map(([code, content], number) => {
    const file = join(folder, `${number}.json`)
    if (content) writeFileSync(file, JSON.stringify(content))
    return `${code}=${file}`
  })
  const script = resolve(import.meta.dirname, '../.ci/count.mjs')
  const { status, stdout } = spawnSync(process.execPath, [script, String(checks), ...files], { encoding: 'utf8' })
  rmSync(folder, { recursive: true })
  return { status, lines: stdout.trim().split('\n') }
}

test('the last line adds up all runs', () => {
  expect(count(0, [0, report([passed, passed])], [0, report([passed])])).toEqual({
    status: 0,
    lines: ['3 passed, 0 failed'],
  })
})

test('what failed is named before it, with why', () => {
  expect(count(0, [1, report([passed, failed])], [0, report([passed])])).toEqual({
    status: 1,
    lines: ['FAILED shop.test.ts > it pays', 'expected 1 to be 2', '    at pays.ts:3:1', '2 passed, 1 failed'],
  })
})

test('so is a file that could not be loaded', () => {
  const { status, lines } = count(0, [1, report([], 'no such module')], [0, report([passed])])
  expect({ status, lines }).toEqual({ status: 1, lines: ['FAILED shop.test.ts: no such module', '1 passed, 1 failed'] })
})

test.each<[string, number, [number, object | undefined]]>([
  ['a check that failed', 1, [0, report([passed])]],
  ['a run without a report', 0, [0, undefined]],
  ['a run without a test', 0, [0, { testResults: [] }]],
  ['an error in no test', 0, [1, report([passed])]],
])('%s is a failure', (_, checks, run) => {
  const { status, lines } = count(checks, run)
  expect(status).toBe(1)
  expect(lines.at(-1)).toMatch(/^[01] passed, 1 failed$/)
})
