import type { Report } from './report.ts'

/** JUnit XML: a test case for each operation, and one for what concerns the run as a whole. */
export function junitOf(report: Report): string {
  const cases = report.operations.map(({ operation, compared }) => {
    const found = report.differences.filter((difference) => difference.operation === operation)
    const text = found
      .map(({ at, kind, sample, reproduction }) =>
        [
          `${at}: ${kind}; ${JSON.stringify(sample.left)} | ${JSON.stringify(sample.right)}`,
          ...(reproduction ? [`  ${reproduction.command}`] : []),
        ].join('\n'),
      )
      .join('\n')
    const failure = found.length > 0 ? failed(`${found.length} differ`, text) : ''
    return testCase(report, `${operation} (${compared} compared)`, failure)
  })
  const whole =
    report.verdict === 'alike' ? '' : failed(`${report.verdict}: ${report.reasons[0] ?? ''}`, report.reasons.join('\n'))
  const all = [testCase(report, 'verdict', whole), ...cases]
  const failures = all.filter((text) => text.includes('<failure')).length
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="parity ${xml(report.context)}" tests="${all.length}" failures="${failures}" time="${report.seconds}">`,
    ...all,
    '</testsuite>',
    '',
  ].join('\n')
}

function testCase(report: Report, name: string, failure: string): string {
  return `  <testcase classname="parity.${xml(report.context)}" name="${xml(name)}">${failure}</testcase>`
}

const failed = (message: string, text: string) => `<failure message="${xml(message)}">${xml(text)}</failure>`

const NAMES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** All that is no `Char` of XML 1.0. */
const NOT_IN_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu

/** Escaped for XML and HTML; characters that XML cannot hold become the replacement character. */
export function xml(text: string): string {
  return text.replaceAll(NOT_IN_XML, '\ufffd').replaceAll(/[&<>"']/g, (c) => NAMES[c]!)
}
