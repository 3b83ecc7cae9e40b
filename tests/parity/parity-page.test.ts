import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { placeShape, ruleShape } from '@banyan/kit/parity'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { readOptions } from '../../compose/parity/options.ts'
import { blocksOfPage } from './parity-page.ts'

const blocks = blocksOfPage()
const lines = blocks.flatMap(({ text }) => text.replaceAll(/\\\n\s*/g, '').split('\n'))
/** As a shell splits them: quotes hold a word together, and what follows a # is for the reader. */
const wordsOf = (line: string) =>
  [...line.replace(/\s#.*$/, '').matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!)

it.each(lines.filter((line) => line.startsWith('npm run parity -- ')))('takes %s', (line) => {
  const [, , , , ...args] = wordsOf(line)
  expect(readOptions(args)).toMatchObject({ context: 'inventory' })
})

it('compares any two sides by options that there are, of the form that is shown', () => {
  const command = readFileSync(join(import.meta.dirname, '../../migrations/src/commands/parity.ts'), 'utf8')
  const [shown, ...more] = lines.filter((line) => line.startsWith('npm run -s banyan -- parity '))
  expect(more).toEqual([])
  const options = wordsOf(shown!).filter((word) => /^--./.test(word))
  expect(options.filter((option) => !command.includes(`.option('${option}`))).toEqual([])
  const [sides] = blocks.filter(({ language }) => language === 'json')
  const { left, right } = JSON.parse(sides!.text)
  for (const place of [left, right]) expect(placeShape.parse(place)).toMatchObject({ sandbox: true })
})

it('shows rules that are rules', () => {
  const shown = blocks.filter(({ under, language }) => under === 'Adding a rule' && language === 'yaml')
  expect(shown.flatMap(({ text }) => (parse(text) as unknown[]).map((rule) => ruleShape.parse(rule)))).toHaveLength(2)
})
