/** A recorded request as a step: its secrets made up, its ids the ones that each side answered itself. */
import type { Step } from '../step.ts'
import { isStandIn, type Recorded, replaceStandIns } from './format.ts'
import { type Id, isIdName, isUuid } from './ids-of.ts'
import { nounOf, nounsOfPath } from './references.ts'
import { makeUp, makeUpWhole } from './stand-ins.ts'

export type Rewrite = {
  /** The name of the variable that holds the side's own; undefined where nobody answered it. */
  variableOf(value: Id, nouns: readonly string[]): string | undefined
  /** Members whose text gets a new end in each run, since it must be nobody else's. */
  unique: readonly string[]
  /** What to send in the place of a secret, by member. */
  values: Readonly<Record<string, unknown>>
}

/** @returns the step without whose it is; undefined for a request that was not kept whole */
export function toStep(recorded: Recorded, rewrite: Rewrite): Step | undefined {
  const { method, path, query, headers, cookies, body, answer } = recorded
  if (body && 'omitted' in body && body.omitted !== 'unreadable') return undefined
  const rewritten = (value: unknown, member: string, nouns: readonly string[]) => leaf(value, member, nouns, rewrite)
  const sent: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers ?? {}))
    if (name !== 'content-type') sent[name] = String(rewritten(value, name, []))
  if (cookies)
    sent.cookie = Object.entries(cookies)
      .map(([name, value]) => `${name === '' ? '' : `${name}=`}${rewritten(value, name, [])}`)
      .join('; ')
  return {
    method,
    path: pathOf(path, rewrite),
    recorded: answer.status,
    ...(query ? { query: members(query, nounsOfPath(path), rewritten) as Record<string, unknown> } : {}),
    ...(Object.keys(sent).length > 0 ? { headers: sent } : {}),
    ...bodyOf(recorded, rewritten),
  }
}

type Leaf = (value: unknown, member: string, nouns: readonly string[]) => unknown

function bodyOf({ body, path }: Recorded, rewritten: Leaf): Partial<Step> {
  if (!body) return {}
  // What could not be read is sent as something else that cannot.
  if ('omitted' in body) return { raw: '{' }
  if ('form' in body) return { form: members(body.form, nounsOfPath(path), rewritten) as Record<string, unknown> }
  return { body: members(body.json, nounsOfPath(path), rewritten) }
}

/** @param nouns what a bare `id` here is an id of */
function members(node: unknown, nouns: readonly string[], rewritten: Leaf, member = ''): unknown {
  if (Array.isArray(node)) return node.map((item) => members(item, nouns, rewritten, member))
  if (typeof node !== 'object' || node === null) return rewritten(node, member, nouns)
  const own = member === '' ? nouns : [nounOf(member)]
  return Object.fromEntries(
    Object.entries(node).map(([name, item]) => [plainText(makeUp(name)), members(item, own, rewritten, name)]),
  )
}

function pathOf(path: string, { variableOf }: Rewrite): string {
  const segments = path.split('/')
  return segments
    .map((segment, at) => {
      const text = decode(segment)
      const value = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : text
      const name = variableOf(value, [nounOf(segments[at - 1] ?? '')])
      return name ? `{{${name}|${makeUp(text).replaceAll(/[{}]/g, '')}}}` : encode(makeUp(text))
    })
    .join('/')
}

function leaf(value: unknown, member: string, nouns: readonly string[], rewrite: Rewrite): unknown {
  const { variableOf, unique, values } = rewrite
  if (isStandIn(value)) {
    const name = variableOf(value, nouns)
    if (name) return `{{${name}|${makeUp(value).replaceAll(/[{}]/g, '')}}}`
    return Object.hasOwn(values, member) ? values[member] : makeUpWhole(value)
  }
  if (typeof value !== 'number' && typeof value !== 'string') return value
  const noun = nounOf(member)
  // In queries numbers are text.
  const id = typeof value === 'string' && /^[1-9]\d{0,15}$/.test(value) ? Number(value) : value
  if (isIdName(member) || isUuid(value) || member === 'if-match' || member === 'if-none-match') {
    const name = variableOf(id, noun === '' ? nouns : [noun])
    if (name) return `{{${name}|${makeUp(String(value)).replaceAll(/[{}|]/g, '')}}}`
  }
  if (typeof value !== 'string') return value
  if (value.includes('‹')) return withVariables(value, variableOf)
  if (unique.includes(member)) return `${plainText(value)}-{{unique}}`
  return plainText(value)
}

/** Secrets within a longer text. */
function withVariables(text: string, variableOf: Rewrite['variableOf']): string {
  return replaceStandIns(plainText(text), (whole) => {
    const name = variableOf(whole, [])
    return name ? `{{${name}|${makeUp(whole).replaceAll(/[{}]/g, '')}}}` : makeUp(whole)
  })
}

/** What a client wrote is no template. */
const plainText = (text: string) => text.replaceAll('{{', '{ {')

/** A template in a path stays one: it is encoded when it is filled in. */
const encode = (text: string) =>
  text
    .split(/(\{\{unique\}\})/)
    .map((part) => (part === '{{unique}}' ? part : encodeURIComponent(part)))
    .join('')

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
