import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromPg, toNumbered } from './sql.ts'

test('placeholders are numbered in order and their values kept', () => {
  expect(toNumbered('select * from t where a = ? and b = any(?)', [1, ['x']])).toEqual({
    text: 'select * from t where a = $1 and b = any($2)',
    values: [1, ['x']],
  })
})

test('?? becomes a quoted identifier, part by part', () => {
  expect(toNumbered('select ?? from ??', ['a"b', 'banyan.outbox'])).toEqual({
    text: 'select "a""b" from "banyan"."outbox"',
    values: [],
  })
})

test.each([
  ["select '?' || ?", "select '?' || $1"],
  ["select 'it''s ?', ?", "select 'it''s ?', $1"],
  ["select E'\\'?' , ?", "select E'\\'?' , $1"],
  ['select "odd?name", ?', 'select "odd?name", $1'],
  ['select ? -- why?\n', 'select $1 -- why?\n'],
  ['select /* ? */ ?', 'select /* ? */ $1'],
  ['select $body$ ? $body$, ?', 'select $body$ ? $body$, $1'],
  ["select $$ '? $$, ?", "select $$ '? $$, $1"],
  ["select headers \\? 'a', ?", "select headers ? 'a', $1"],
])('a question mark that is quoted, commented or escaped is left alone: %s', (sql, text) => {
  expect(toNumbered(sql, [7])).toEqual({ text, values: [7] })
})

test('a wrong number of bindings is refused with the statement', () => {
  expect(() => toNumbered('select ?', [1, 2])).toThrow(/2 bindings but 1 placeholders/)
  expect(() => toNumbered('select ?, ?', [1])).toThrow(/more placeholders than the 1 bindings/)
})

test('a script without bindings goes out as it is', async () => {
  const sent: unknown[][] = []
  const sql = fromPg({ query: (...args) => Promise.resolve({ rows: [sent.push(args)] }) })
  await sql.raw("do $$ begin perform 1; end $$; select '?'")
  expect(sent).toEqual([["do $$ begin perform 1; end $$; select '?'"]])
})

test('whatever is quoted around them, the n-th bare placeholder takes the n-th value', () => {
  const quoted = fc.oneof(
    fc.string().map((text) => `'${text.replaceAll("'", "''")}'`),
    fc.string().map((text) => `"${text.replaceAll('"', '""')}"`),
    fc.constantFrom('/* ? */', '-- ?\n', '$q$ ?? $q$', 'a = b', '"?"', "e'\\'?'"),
  )
  const piece = fc.oneof({ weight: 2, arbitrary: quoted }, { weight: 1, arbitrary: fc.constant('?') })
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const values = pieces.filter((one) => one === '?').map((_, index) => index)
      let n = 0
      const text = pieces.map((one) => (one === '?' ? `$${++n}` : one)).join(' ')
      expect(toNumbered(pieces.join(' '), values)).toEqual({ text, values })
    }),
  )
})
