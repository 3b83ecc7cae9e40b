import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MistakesError } from '@banyan/kit/yaml'
import { expect, it } from 'vitest'
import { parsePlan, readPlans } from './read.ts'

const GOOD = `context: goods
databases: { monolith: shop, service: goods }
tables:
  - products
  - from: stock
    to: stock_levels
    columns:
      qty: quantity
      price: { to: price_cents, forward: price * 100, back: price_cents / 100 }
crossing-foreign-keys:
  - { table: order_items, constraint: items_fk }
`
const mistakesOf = (text: string) => {
  try {
    parsePlan('plan.yaml', text)
  } catch (error) {
    if (error instanceof MistakesError) return error.message.split('\n')
    throw error
  }
  throw new Error('the plan was not refused')
}

it('a plan gives tables, mappings and the lines where they stand', () => {
  const plan = parsePlan('plan.yaml', GOOD)
  expect(plan.tables.map(({ from, to }) => `${from}>${to}`)).toEqual(['products>products', 'stock>stock_levels'])
  expect(plan.tables[1]?.columns.qty).toEqual({ to: 'quantity' })
  expect(plan.lineOf('tables', 1)).toBe(5)
  expect(plan.lineOf('crossing-foreign-keys', 0)).toBe(11)
})

it.each([
  ['not YAML', GOOD.replace('tables:', 'tables: ['), /plan.yaml:\d+: not readable as YAML/],
  ['an unknown key', GOOD.replace('tables:', 'tabels:'), /plan.yaml:3: .*unknown key "tabels"/],
  ['no context', GOOD.replace('context: goods\n', ''), /context is missing/],
  [
    'an unknown key of a table',
    GOOD.replace('to: stock_levels', 'too: stock_levels'),
    /plan.yaml:6: tables\[1\] has the unknown key "too"/,
  ],
  ['no table', 'context: a\ndatabases: { monolith: a, service: b }\ntables: []\n', /plan.yaml:3: tables: must name/],
  ['one database for both', GOOD.replace('service: goods', 'service: shop'), /plan.yaml:2: both sides name the same/],
  [
    'a table twice',
    GOOD.replace('from: stock', 'from: products'),
    /plan.yaml:5: table "products" stands here a second/,
  ],
  ['half a mapping', GOOD.replace(', back: price_cents / 100', ''), /plan.yaml:9: column "price" is mapped one way/],
  ['two columns into one', GOOD.replace('qty: quantity', 'qty: price_cents'), /plan.yaml:\d+: two columns become/],
  [
    'a name that is SQL',
    GOOD.replace('- products', '- products; drop table x'),
    /plan.yaml:4: .*plain PostgreSQL name/,
  ],
  [
    'a process that cannot be',
    `${GOOD}processes: { service: "goods service" }\n`,
    /plan.yaml:12: .*announce themselves/,
  ],
  [
    'a saga table that does not move',
    `${GOOD}saga-tables: [products, sagas]\n`,
    /plan.yaml:12: the saga table "sagas" is not among the plan's tables/,
  ],
] as const)('%s is refused with file, line and remedy', (_, text, words) => {
  const mistakes = mistakesOf(text)
  expect(mistakes.join('\n')).toMatch(words)
  for (const mistake of mistakes) expect(mistake).toMatch(/^plan.yaml:\d+: .+\. Remedy: .+/)
})

const planOf = (context: string, table: string) =>
  `context: ${context}\ndatabases: { monolith: shop, service: ${context} }\ntables: [${table}]\n`

it('a table that two plans name is refused where it stands the second time', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plans-'))
  try {
    writeFileSync(join(folder, 'a.yaml'), planOf('goods', 'stock'))
    writeFileSync(join(folder, 'b.yaml'), planOf('depot', 'bays, stock'))
    await expect(readPlans(folder)).rejects.toThrow(
      /b.yaml:3: table "shop.stock" moves with "goods" \(a.yaml\) already. Remedy: name it in one plan/,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it('plans are read from a folder, or from those of its files that are named', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plans-'))
  try {
    for (const context of ['goods', 'people', 'letters'])
      writeFileSync(join(folder, `${context}.yaml`), planOf(context, context))
    writeFileSync(join(folder, 'notes.txt'), 'no plan')
    const named = [join(folder, 'people.yaml'), join(folder, 'goods.yaml')].join(',')
    expect([...(await readPlans(folder)).keys()]).toEqual(['goods', 'letters', 'people'])
    expect([...(await readPlans(named)).keys()]).toEqual(['people', 'goods'])
    await expect(readPlans(join(folder, 'nobody.yaml'))).rejects.toThrow('ENOENT')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
