// Prints "N passed, N failed" from the runner's own report, and ends with 1 unless everything passed.
// A check that failed, or a run without a report or without a single test, counts as a failure of its own.
import { readFileSync } from 'node:fs'

const [file, checks] = process.argv.slice(2)
const report = read(file)
const passed = report.numPassedTests ?? 0
const broken = (report.testResults ?? []).filter((f) => f.status === 'failed' && !f.assertionResults.length).length
let failed = (report.numFailedTests ?? 0) + broken + Number(checks)
if (passed === 0 && failed === 0) failed = 1
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    console.error(`no report of the test run: ${error.message}`)
    return {}
  }
}
