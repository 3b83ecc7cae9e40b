import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const textOf = (file: string) => readFileSync(join(root, file), 'utf8')
const CRITERIA = 21
/** What is measured and not tested. */
const FIGURES = [21]

/** By criterion: the files that the page names below it, each with the titles of tests. */
const criteria = new Map(
  textOf('docs/front-door.md')
    .split(/^(?=\d+\. )/m)
    .slice(1)
    .map((section) => [
      Number.parseInt(section, 10),
      [...section.matchAll(/^ +- \[[^\]]+\]\(\.\.\/([^)]+\.test\.ts)\): (.*)$/gm)].map(
        ([, file = '', titles = '']) => ({
          file,
          titles: [...titles.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, title = '']) => title.replaceAll('\\"', '"')),
        }),
      ),
    ]),
)

it('every criterion of the front door names a test of its own, or is a figure', () => {
  expect([...criteria.keys()]).toEqual(Array.from({ length: CRITERIA }, (_, at) => at + 1))
  const lines = textOf('docs/front-door.md').match(/^ +- /gm) ?? []
  expect([...criteria.values()].flat()).toHaveLength(lines.length)
  const without = [...criteria].filter(([, tests]) => tests.every(({ titles }) => titles.length === 0))
  expect(without.map(([criterion]) => criterion)).toEqual(FIGURES)
})

it('every test that is named there is one', () => {
  const named = [...criteria.values()].flat()
  expect(named.filter(({ file }) => !existsSync(join(root, file)))).toEqual([])
  const missing = named.flatMap(({ file, titles }) => {
    // Where a title stands in quotes of its kind, or is a row of a table of them.
    const text = textOf(file)
    return titles.filter((title) => !text.includes(title)).map((title) => `${file}: ${title}`)
  })
  expect(missing).toEqual([])
})
