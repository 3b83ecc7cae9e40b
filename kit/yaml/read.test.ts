import { expect, it } from 'vitest'
import { z } from 'zod'
import { MistakesError } from './mistakes.ts'
import { readYaml } from './read.ts'

const shape = z.strictObject({
  name: z.string(),
  parts: z.array(z.union([z.string(), z.strictObject({ kind: z.enum(['bolt', 'nut']), size: z.int().optional() })])),
  by: z.record(z.string(), z.strictObject({ colour: z.string() })).default({}),
})
const mistakesOf = (text: string) => {
  try {
    readYaml('box.yaml', text, shape, 'box')
  } catch (error) {
    if (error instanceof MistakesError) return error.message.split('\n')
    throw error
  }
  return []
}

it('gives what was written, and the line of each part', () => {
  const { value, lineOf } = readYaml('box.yaml', 'name: a\nparts:\n  - x\n  - kind: nut\n    size: 3\n', shape, 'box')
  expect(value).toEqual({ name: 'a', parts: ['x', { kind: 'nut', size: 3 }], by: {} })
  expect([lineOf(['parts', 1]), lineOf(['parts', 1, 'size']), lineOf(['parts', 1, 'no such key'])]).toEqual([4, 5, 4])
})

it.each([
  [
    'name: a\nparts: []\nbox: 1',
    'box.yaml:3: the box has the unknown key "box". Remedy: mend the spelling or take it out; the keys here are name, parts, by',
  ],
  [
    'name: a\nparts:\n  - kind: nut\n    sise: 3',
    'box.yaml:4: parts[0] has the unknown key "sise". Remedy: mend the spelling or take it out; the keys here are kind, size',
  ],
  [
    'name: a\nparts: []\nby:\n  me: { color: red }',
    'box.yaml:4: by.me has the unknown key "color". Remedy: mend the spelling or take it out; the keys here are colour',
  ],
  ['parts: []', 'box.yaml:1: name is missing. Remedy: add "name:"'],
  [
    'name: a\nparts:\n  - kind: screw',
    'box.yaml:3: parts[0].kind: Invalid option: expected one of "bolt"|"nut". Remedy: mend the value of parts[0].kind',
  ],
  ['', 'box.yaml:1: name is missing. Remedy: add "name:"'],
])('%j is refused with file, line and remedy', (text, mistake) => {
  expect(mistakesOf(text)).toContain(mistake)
})

it('refuses a few lines that stand for gigabytes', () => {
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]']
  for (const [at, name] of [...'bcdefgh'].entries())
    bomb.push(`${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[at]}`).join(', ')}]`)
  expect(mistakesOf(bomb.join('\n'))).toEqual([
    expect.stringMatching(/^box.yaml:1: not readable as YAML: Excessive alias count.*Remedy: mend the YAML/),
  ])
})
