/** fast-check arbitraries from JSON Schema: values that are valid, on the border, and just beyond it. */
import fc from 'fast-check'
import type { Schema } from './contract.ts'

type Arb = fc.Arbitrary<unknown>

/** What a field of this name may hold, where the schema alone does not say; templates are filled in later. */
export type KnownValues = Readonly<Record<string, readonly unknown[]>>

/** Valid, with the borders of every range among what is drawn. */
export function validValue(schema: Schema, known: KnownValues, name = ''): Arb {
  const given = known[name]
  if (given) {
    if (schema.type !== 'array') return fc.constantFrom(...given)
    return lists(fc.constantFrom(...given), { ...schema, minItems: Math.max(1, schema.minItems ?? 0) })
  }
  if (schema.enum) return fc.constantFrom(...schema.enum)
  if (schema.const !== undefined) return fc.constant(schema.const)
  switch (schema.type) {
    case 'integer':
    case 'number':
      return numbers(schema)
    case 'string':
      return texts(schema)
    case 'boolean':
      return fc.boolean()
    case 'array':
      return lists(validValue(schema.items ?? {}, known, name), schema)
    case 'object':
      return validObject(schema, known)
    default:
      return fc.constantFrom(null, 1, 'text')
  }
}

/** A valid object of which one thing is wrong: a member missing, unknown, of another type or beyond its range. */
export function brokenObject(schema: Schema, known: KnownValues): Arb {
  const names = Object.keys(schema.properties ?? {})
  const required = schema.required ?? []
  return validObject(schema, known).chain((valid) => {
    const object = valid as Record<string, unknown>
    const without = required.map((name) => fc.constant(omit(object, name)))
    const wrong = names.map((name) =>
      invalidValue(schema.properties![name]!, known, name).map((value) => ({ ...object, [name]: value })),
    )
    const strange = [
      fc.constant({ ...object, unknownMember: 1 }),
      fc.constant([]),
      fc.constant('text'),
      fc.constant({}),
    ]
    const parts = [
      { weight: 3, of: wrong },
      { weight: 1, of: without },
      { weight: 1, of: strange },
    ]
    return fc.oneof(
      ...parts.flatMap(({ weight, of }) => (of.length > 0 ? [{ weight, arbitrary: fc.oneof(...of) }] : [])),
    )
  })
}

/** What the schema refuses. */
export function invalidValue(schema: Schema, known: KnownValues, name = ''): Arb {
  const beyond: unknown[] = [null]
  if (schema.minimum !== undefined) beyond.push(schema.minimum - 1)
  if (schema.maximum !== undefined && schema.maximum < Number.MAX_SAFE_INTEGER) beyond.push(schema.maximum + 1)
  if (schema.type === 'integer') beyond.push(1.5, '1', 'one', 1e21)
  if (schema.type === 'string') beyond.push(1, {}, '\u0000', '')
  if ((schema.minLength ?? 0) > 1) beyond.push('x'.repeat(schema.minLength! - 1))
  if (schema.maxLength !== undefined) beyond.push('x'.repeat(schema.maxLength + 1), 'X'.repeat(schema.maxLength + 1))
  if (schema.enum) beyond.push('none-of-them')
  if (schema.not?.const !== undefined) beyond.push(schema.not.const)
  if (schema.type === 'array') beyond.push([], {}, 'text', [null])
  if (schema.type === 'object') beyond.push([], 'text')
  const others = fc.constantFrom(...beyond)
  if (schema.type !== 'array') return others
  const [least, full] = [schema.minItems ?? 0, fullLength(schema)]
  const lengths = [...(least > 1 ? [least - 1] : []), ...(full === undefined ? [] : [full + 1])]
  const item = known[name] ? fc.constantFrom(...known[name]) : validValue(schema.items ?? {}, known, name)
  const wrongLengths = lengths.map((length) => ({ weight: 1, arbitrary: ofLength(item, length) }))
  return fc.oneof({ weight: 3, arbitrary: others }, ...wrongLengths)
}

function validObject(schema: Schema, known: KnownValues): Arb {
  const members = Object.entries(schema.properties ?? {})
  const arbitraries = Object.fromEntries(members.map(([name, member]) => [name, validValue(member, known, name)]))
  const { required = [], minProperties = 0 } = schema
  return fc
    .record(arbitraries, { requiredKeys: required })
    .filter((object) => Object.keys(object).length >= minProperties)
}

function numbers({ minimum = 0, maximum = 1_000_000, not }: Schema): Arb {
  const top = Math.min(maximum, Number.MAX_SAFE_INTEGER)
  const small = fc.integer({ min: Math.max(minimum, -20), max: Math.min(top, 20) })
  const any = fc.maxSafeInteger().map((n) => minimum + (Math.abs(n) % Math.max(1, Math.min(top - minimum + 1, 1e15))))
  return fc
    .oneof({ weight: 4, arbitrary: small }, { weight: 2, arbitrary: any }, fc.constantFrom(minimum, top))
    .filter((number) => number !== not?.const)
}

/** Longer ones would make every request of their kind slow, and are not drawn. */
const LONGEST_LIST = 1_000

/** Mostly short ones, and some as long as they may be: a service may cut off or refuse just the last. */
function lists(item: Arb, schema: Schema): Arb {
  const { minItems = 0, maxItems } = schema
  const short = fc.array(item, { minLength: minItems, maxLength: Math.min(maxItems ?? Infinity, minItems + 3) })
  const full = fullLength(schema)
  if (full === undefined) return short
  // The shorter form of a full one may be a short one: its length is seldom what a difference needs.
  return fc.oneof(
    { withCrossShrink: true },
    { weight: 6, arbitrary: short },
    { weight: 1, arbitrary: ofLength(item, full) },
  )
}

const fullLength = ({ maxItems = Infinity }: Schema) => (maxItems <= LONGEST_LIST ? maxItems : undefined)

const ofLength = (item: Arb, length: number) => fc.array(item, { minLength: length, maxLength: length })

function texts({ minLength = 0, maxLength = 60, pattern, type }: Schema): Arb {
  const form = pattern === undefined ? /^/ : new RegExp(pattern, 'u')
  const narrow = pattern !== undefined && !pattern.includes('[^')
  const free = fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, minLength + 30) })
  const usual = fc.constantFrom(
    'Kettle',
    'Blue kettle, 1.5 l',
    'Größe ☕ 大',
    "O'Neill; drop table",
    '%_\\',
    '  two  words',
  )
  const border = (length: number) => fc.constantFrom('x', 'é').map((letter) => letter.repeat(length))
  const borders = [border(maxLength), ...(minLength > 0 ? [border(minLength)] : [])]
  const drawn = narrow
    ? fc.stringMatching(new RegExp(pattern))
    : fc.oneof({ weight: 4, arbitrary: usual }, free, ...borders)
  const fits = (text: unknown) => {
    const letters = String(text)
    return letters.length >= minLength && letters.length <= maxLength && form.test(letters)
  }
  return type === 'string' ? drawn.filter(fits) : drawn
}

function omit(object: Record<string, unknown>, name: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([key]) => key !== name))
}
