import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readParityFolder } from './settings.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
  writeFileSync(join(folder, 'parity.yaml'), 'contract: api.json\n')
})
afterEach(() => rmSync(folder, { recursive: true }))

const scenario = (...steps: string[]) =>
  ['scenario: goods', 'steps:', ...steps.map((step) => `  - { ${step} }`)].join('\n')
const reading = (text: string) => {
  writeFileSync(join(folder, 'goods.yaml'), text)
  return readParityFolder(folder).scenarios
}

it('reads scenarios whose names are captured by an earlier step, or given', () => {
  const capture = 'post: /goods, body: { sku: "A-{{unique}}" }, capture: { good: $.body.id }'
  expect(reading(scenario(capture, 'get: "/goods/{{good}}"'))).toHaveLength(1)
})

it.each([
  ['a name that nobody captured', scenario('get: "/goods/{{godo}}"'), 'goods.yaml:3: {{godo}} is used, and no step up'],
  ['what is no YAML', 'scenario: goods\nsteps:\n  - get: "/a\n', 'goods.yaml:4: not readable as YAML'],
  ['an unknown key', scenario('get: /a, exepct: { status: 200 }'), 'goods.yaml:3: '],
])('refuses %s, with file, line and remedy', (_, text, words) => {
  expect(() => reading(text)).toThrow(words)
  expect(() => reading(text)).toThrow('Remedy: ')
})

it('refuses two scenarios of one name', () => {
  writeFileSync(join(folder, 'other.yaml'), scenario('get: /a'))
  expect(() => reading(scenario('get: /b'))).toThrow('two scenarios are called "goods"')
})
