import { expect, it } from 'vitest'
import { type TableShape, tableMove } from './describe.ts'

const table = (...names: string[]): TableShape => ({
  schema: 'public',
  name: 'goods',
  columns: names.map((name) => ({
    name,
    type: 'integer',
    generated: false,
    identityAlways: false,
    notNull: true,
    hasDefault: false,
  })),
  key: ['id'],
  keyDeferrable: false,
  inherited: false,
})

it('pairs no two columns with the same one: a renamed column and one that has its new name already', () => {
  expect(() =>
    tableMove(table('id', 'qty', 'quantity'), table('id', 'quantity'), { qty: { target: 'quantity' } }),
  ).toThrow(
    'public.goods: "qty" and "quantity" both become "quantity" of public.goods; map each to a column of its own',
  )
})

it('says of a column that has none on the other side what a plan or a migration can do for it', () => {
  expect(() => tableMove(table('id', 'qty'), table('id'))).toThrow(
    /^public.goods: column "qty" has no "qty" in public.goods; map it to a column there, or add one$/,
  )
  expect(() => tableMove(table('id', 'qty'), table('id'), { qty: { target: 'quantity' } })).toThrow(
    /column "qty" has no "quantity" in public.goods; map it to a column there, or add one$/,
  )
})
