import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { placeShape, ruleShape } from '@banyan/kit/parity'
import { readYaml } from '@banyan/kit/yaml'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { blocksOfPage } from '../../../tests/parity/parity-page.ts'

const blocks = blocksOfPage()

it('has every option that docs/parity.md compares any two sides by, and takes a file of sides as it is shown', () => {
  const command = readFileSync(join(import.meta.dirname, 'parity.ts'), 'utf8')
  const shown = blocks.flatMap(({ text }) => text.match(/^npm run -s banyan -- parity (?:.*\\\n)*.*$/gm) ?? [])
  expect(shown).toHaveLength(1)
  const options = shown.join().match(/--[a-z]+/g) ?? []
  expect(options.length).toBeGreaterThan(3)
  expect(options.filter((option) => !command.includes(`.option('${option}`))).toEqual([])
  const [sides] = blocks.filter(({ language }) => language === 'json')
  const { left, right } = JSON.parse(sides!.text)
  for (const place of [left, right]) expect(placeShape.parse(place)).toMatchObject({ sandbox: true })
})

it('takes the rules that docs/parity.md shows', () => {
  const shown = blocks.filter(({ under, language }) => under === 'Adding a rule' && language === 'yaml')
  const file = `rules:\n${shown.map(({ text }) => text.replace(/^/gm, '  ')).join('\n')}`
  const { value } = readYaml('parity.md', file, z.strictObject({ rules: z.array(ruleShape) }), 'page')
  expect(value.rules).toHaveLength(2)
})
