import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const textOf = (file: string) => readFileSync(join(root, file), 'utf8')
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.sql'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter(Boolean)
const RULES = 26

/** The rules that a line speaks of: `rule 7`, `rules 16, 20 and 22`. */
const rulesIn = (line: string) =>
  [...line.matchAll(/\brules? (\d+(?:(?:, | and )\d+)*)/g)]
    .flatMap(([, list = '']) => list.match(/\d+/g) ?? [])
    .map(Number)

/** By rule: the test files with a title that names it. */
function proofs(): Map<number, string[]> {
  const found = new Map<number, string[]>()
  for (const file of files.filter((name) => name.endsWith('.test.ts'))) {
    const titles = textOf(file)
      .split('\n')
      .filter((line) => /^\s*(it|test|describe|\])[.()]/.test(line))
    for (const rule of new Set(titles.flatMap(rulesIn))) found.set(rule, [...(found.get(rule) ?? []), file].sort())
  }
  return found
}

/** By rule: the files that the page names below it. */
function named(): Map<number, string[]> {
  const sections = textOf('docs/protocol.md')
    .split(/^(?=\d+\. )/m)
    .slice(1)
  return new Map(
    sections.map((section) => [
      Number.parseInt(section, 10),
      [...section.matchAll(/\]\(\.\.\/([^)]+\.test\.ts)\)/g)].map(([, file = '']) => file),
    ]),
  )
}

it('every rule of the protocol has tests that name it, and the page names their files', () => {
  const pages = named()
  expect([...pages.keys()]).toEqual(Array.from({ length: RULES }, (_, at) => at + 1))
  expect([...pages].filter(([, tests]) => tests.length === 0)).toEqual([])
  expect(Object.fromEntries(pages)).toEqual(Object.fromEntries([...proofs()].sort(([a], [b]) => a - b)))
})

it('whatever speaks of a rule of the protocol speaks of one that there is', () => {
  const spoken = files
    .filter((file) => file.startsWith('migrations/src') || file.startsWith('kit/ownership'))
    .flatMap((file) => rulesIn(textOf(file)).map((rule) => ({ file, rule })))
  expect(spoken.length).toBeGreaterThan(100)
  expect(spoken.filter(({ rule }) => rule < 1 || rule > RULES)).toEqual([])
})
