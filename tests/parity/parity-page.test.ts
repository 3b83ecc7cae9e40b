import { expect, it } from 'vitest'
import { readOptions } from '../../compose/parity/options.ts'
import { blocksOfPage } from './parity-page.ts'

const lines = blocksOfPage().flatMap(({ text }) => text.split('\n'))
/** As a shell splits them: quotes hold a word together, and what follows a # is for the reader. */
const wordsOf = (line: string) =>
  [...line.replace(/\s#.*$/, '').matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!)

it.each(lines.filter((line) => line.startsWith('npm run parity -- ')))('takes %s', (line) => {
  const [, , , , ...args] = wordsOf(line)
  expect(readOptions(args)).toMatchObject({ context: 'inventory' })
})
