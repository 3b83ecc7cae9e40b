/** Compares two documents leaf by leaf under a rule book; pure but for the book's counts and pairs of ids. */
import { formatOf, typeOf } from './format.ts'
import { idsWithin } from './ids-within.ts'
import { valueAt } from './path.ts'
import type { Rule, RuleBook } from './rules.ts'

/** `missing` on the right, `extra` on the right, another type, form, value, length or order of a list. */
export type DifferenceKind = 'missing' | 'extra' | 'type' | 'format' | 'value' | 'length' | 'order'
export type Difference = { path: string; kind: DifferenceKind; left: unknown; right: unknown }

/**
 * @param operation decides which rules hold
 * @returns every difference that no rule allows
 */
export function compare(left: unknown, right: unknown, operation: string, book: RuleBook): Difference[] {
  const found: Difference[] = []
  walk(left, right, '$')
  return found

  function walk(a: unknown, b: unknown, path: string): void {
    const rules = book.at(operation, path)
    if (rules.some((rule) => rule.ignore)) return
    if (a === undefined || b === undefined) {
      if (a !== b) add(path, a === undefined ? 'extra' : 'missing', a, b)
      return
    }
    const type = typeOf(a)
    if (type !== typeOf(b)) add(path, 'type', a, b)
    else if (type === 'list') walkList(a as unknown[], b as unknown[], path, rules)
    else if (type === 'object') walkObject(a as object, b as object, path)
    else leaf(a, b, path, rules)
  }

  function walkObject(a: object, b: object, path: string): void {
    for (const name of new Set([...Object.keys(a), ...Object.keys(b)]))
      walk(ownOf(a, name), ownOf(b, name), `${path}.${name}`)
  }

  function walkList(a: unknown[], b: unknown[], path: string, rules: readonly Rule[]): void {
    const keys = keysOf(path, rules)
    const [one, other] = keys ? [sorted(a, keys), sorted(b, keys)] : [a, b]
    if (one.length !== other.length) add(path, 'length', one.length, other.length)
    else if (isReordered(one.map(signed(`${path}[0]`)), other.map(signed(`${path}[0]`)))) {
      add(path, 'order', one, other)
      return
    }
    // Elements beyond the shorter list are told by the length alone.
    for (let index = 0; index < Math.min(one.length, other.length); index++)
      walk(one[index], other[index], `${path}[${index}]`)
  }

  /**
   * By what the elements of a list are put in one order where theirs says nothing. Those with the same member, and those
   * in which only what a rule lets vary differs, are paired by the rest of them.
   */
  function keysOf(path: string, rules: readonly Rule[]): ((element: unknown) => string)[] | undefined {
    const by = path === OUTCOMES ? '.' : rules.find((rule) => rule.unordered)?.unordered
    if (by === undefined) return undefined
    const whole = [signed(`${path}[0]`), stable]
    if (path === OUTCOMES) return [outcomeOf, ...whole]
    if (by === '.') return whole
    const member = signed(`${path}[0].${by}`)
    return [(element) => member(valueAt(element, `$.${by}`)), ...whole]
  }

  /** What stands at a place as text in which what a rule lets vary is left out: it is the same all the same. */
  function signed(place: string): (node: unknown) => string {
    const blank = (node: unknown, at: string): unknown => {
      // No rule is needed for what is not there.
      if (node === undefined) return undefined
      const rules = book.at(operation, at)
      if (rules.some((rule) => rule.ignore) || (rules.length > 0 && !Array.isArray(node))) return '*'
      if (Array.isArray(node)) {
        const items = node.map((item, index) => blank(item, `${at}[${index}]`))
        return rules.some((rule) => rule.unordered) ? sorted(items, [stable]) : items
      }
      if (typeof node !== 'object' || node === null) return node
      return Object.fromEntries(Object.entries(node).map(([name, item]) => [name, blank(item, `${at}.${name}`)]))
    }
    return (node) => stable(blank(node, place))
  }

  function leaf(a: unknown, b: unknown, path: string, rules: readonly Rule[]): void {
    // Nothing on either side, as in a column that is still null: no rule makes a difference of that.
    if (a === null) return
    for (const rule of rules) {
      const allowed = allows(rule, a, b)
      if (allowed === undefined) continue
      if (!allowed) add(path, 'value', a, b)
      return
    }
    if (Object.is(a, b)) return
    add(path, formatOf(a) === formatOf(b) ? 'value' : 'format', a, b)
  }

  function allows(rule: Rule, a: unknown, b: unknown): boolean | undefined {
    if (rule.bijection !== undefined && rule.within !== undefined) return pairsWithin(rule.bijection, rule.within, a, b)
    if (rule.bijection !== undefined) return book.pair(rule.bijection, a, b)
    if (rule.tolerance !== undefined)
      return Object.is(a, b) || (typeof a === 'number' && typeof b === 'number' && near(a, b, rule.tolerance))
    if (rule.pattern !== undefined) {
      const form = new RegExp(rule.pattern)
      return form.test(String(a)) && form.test(String(b))
    }
    if (rule.window !== undefined)
      return Object.is(a, b) || (formatOf(a) === formatOf(b) && Math.abs(instant(a) - instant(b)) <= rule.window)
    return undefined
  }

  /** Undefined where no id stands in either: then the texts are compared as any others. */
  function pairsWithin(name: string, form: string, a: unknown, b: unknown): boolean | undefined {
    const [one, other] = [idsWithin(String(a), form, name), idsWithin(String(b), form, name)]
    if (one.ids.length === 0 && other.ids.length === 0) return undefined
    if (one.rest !== other.rest) return false
    return one.ids.every(({ name: kind, id }, at) => {
      const { name: otherKind, id: otherId } = other.ids[at]!
      return kind === otherKind && book.pair(kind, id, otherId)
    })
  }

  function add(path: string, kind: DifferenceKind, a: unknown, b: unknown): void {
    found.push({ path, kind, left: a, right: b })
  }
}

/** JSON may name a member `constructor` or `__proto__`: where there is none, what every object has is not one. */
function ownOf(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? (object as Record<string, unknown>)[name] : undefined
}

/** Seconds since 1970 as a number are an instant too. NaN, which no window allows, where it is none. */
function instant(value: unknown): number {
  if (typeof value === 'number') return value < 1e11 ? value * 1_000 : value
  return Date.parse(String(value))
}

/** Of requests sent at once: which of them had which is chance. */
const OUTCOMES = '$.outcomes'

/** What became of one of several requests sent at once: status and code first, for the rest may vary by itself. */
export function outcomeOf(outcome: unknown): string {
  return stable(['$.status', '$.body.code', '$.body.status'].map((at) => valueAt(outcome, at) ?? ''))
}

function sorted(list: readonly unknown[], keys: readonly ((element: unknown) => string)[]): unknown[] {
  return list
    .map((element) => ({ element, key: keys.map((key) => key(element)).join('\u0000') }))
    .sort(byKey)
    .map(({ element }) => element)
}

const byKey = (a: { key: string }, b: { key: string }) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)

/** The same elements in another order are one difference, not one for each place. */
function isReordered(one: readonly string[], other: readonly string[]): boolean {
  if (one.every((text, index) => text === other[index])) return false
  const [first, second] = [[...one].sort(), [...other].sort()]
  return first.every((text, index) => text === second[index])
}

/** JSON with the members in the order of their names, so that equal values are equal text. */
export function stable(value: unknown): string {
  return (
    JSON.stringify(value, (_, node) =>
      typeof node === 'object' && node !== null && !Array.isArray(node)
        ? Object.fromEntries(Object.entries(node).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
        : node,
    ) ?? ''
  )
}

/** A difference of two numbers may be off by itself: 1.01 - 1 is a little more than 0.01. */
function near(a: number, b: number, tolerance: number): boolean {
  return Math.abs(a - b) <= tolerance + Number.EPSILON * Math.max(Math.abs(a), Math.abs(b))
}
