// Prints "N passed, N failed" from the runner's own reports, and ends with 1 unless everything passed:
//   node count.mjs <checks that failed> [<exit code>=<report> ...]
// A check that failed, a run without a report or without a single test, and one that failed for something that is in no
// test, as an error nobody caught, count as a failure each. What failed is named once more just before: of a long log
// often only the end is kept.
import { readFileSync } from 'node:fs'

const [checks, ...runs] = process.argv.slice(2)
let passed = 0
let failed = Number(checks)
for (const run of runs) {
  const [, code, file] = run.match(/^(\d+)=(.*)$/)
  const report = read(file)
  const broken = (report.testResults ?? []).filter((f) => f.status === 'failed' && !f.assertionResults.length).length
  const failedHere = (report.numFailedTests ?? 0) + broken
  const isUnaccounted = failedHere === 0 && (code !== '0' || !report.numPassedTests)
  for (const line of failures(report)) console.log(line)
  passed += report.numPassedTests ?? 0
  failed += failedHere + (isUnaccounted ? 1 : 0)
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)

function failures({ testResults = [] }) {
  return testResults.flatMap(({ name, message, assertionResults }) => [
    ...(message ? [`FAILED ${name}: ${message}`] : []),
    ...assertionResults
      .filter((test) => test.status === 'failed')
      .map((test) => `FAILED ${name} > ${test.fullName}\n${test.failureMessages.join('\n')}`),
  ])
}

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    console.error(`no report of the test run: ${error.message}`)
    return {}
  }
}
