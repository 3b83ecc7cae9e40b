import { z } from 'zod'
import { matcher } from './path.ts'

const SPANS = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000 } as const

const span = z
  .string()
  .regex(/^\d+(ms|s|min|h)$/, 'must be a time such as 500ms, 5s, 2min or 1h')
  .transform((text) => {
    const [, amount, unit] = /^(\d+)(\D+)$/.exec(text) as unknown as [string, string, keyof typeof SPANS]
    return Number(amount) * SPANS[unit]
  })

const day = z.preprocess(
  (given) => (given instanceof Date ? given.toISOString().slice(0, 10) : given),
  z
    .string()
    .refine(
      (text) => /^\d{4}-\d\d-\d\d$/.test(text) && new Date(`${text}T00:00Z`).toJSON()?.startsWith(text) === true,
      'must be a day such as 2027-03-31',
    ),
)

const regex = z.string().refine(
  (text) => {
    try {
      return new RegExp(text) !== undefined
    } catch {
      return false
    }
  },
  { error: 'must be a regular expression', abort: true },
)

/** With nothing as an alternative any expression matches, and tells its groups. */
function hasGroup(text: string): boolean {
  return (new RegExp(`${text}|`).exec('')?.length ?? 0) > 1
}

/** Names, each behind one dot or two, and indices. */
const PLACE = /^\$(?:\.{1,2}[^.[\]\s]+|\[(?:\*|\d+)\])*$/

const KINDS = ['ignore', 'tolerance', 'unordered', 'pattern', 'window', 'bijection'] as const

/** One thing two sides may differ in, and why; each rule says exactly one of the kinds. */
export const ruleShape = z
  .strictObject({
    /** Where, e.g. `$.body.items[*].updatedAt` or `$..traceId`. */
    at: z.string().regex(PLACE, 'must be a place such as $.body.items[*].id or $..updatedAt'),
    /** Only in answers of this operation; in all without it. */
    operation: z.string().optional(),
    /** Nothing below is compared. */
    ignore: z.literal(true).optional(),
    /** Numbers may be this far apart. */
    tolerance: z.number().positive().optional(),
    /** A list whose order says nothing; its elements are paired by this member (`.` is the element itself). */
    unordered: z.string().min(1).optional(),
    /** Both are text of this form; which text is not compared. */
    pattern: regex.optional(),
    /** Two instants, at most this far apart. */
    window: span.optional(),
    /** An id: it may be another on the other side, but then everywhere. Rules of one name share their pairs. */
    bijection: z.string().min(1).optional(),
    /** Where in a text the ids of a bijection stand: its groups, e.g. `^/api/orders/(\d+)$`. The rest is compared. */
    within: regex.refine(hasGroup, 'must have a group for the id, such as /orders/(\\d+)').optional(),
    reason: z.string().min(10, 'must say why, in a sentence'),
    /** The last day it holds; the reason is looked at again then. */
    until: day,
  })
  .refine(
    (rule) => KINDS.filter((kind) => rule[kind] !== undefined).length === 1,
    `must say exactly one of ${KINDS.join(', ')}`,
  )
  .refine(({ within, bijection }) => within === undefined || bijection !== undefined, {
    path: ['within'],
    message: 'says where in a text an id stands, and so belongs to a bijection',
  })

export type Rule = z.infer<typeof ruleShape>
export type RuleKind = (typeof KINDS)[number]

export type RuleUse = { rule: Rule; kind: RuleKind; used: number; expired: boolean }

/** The rules of one comparison of two sides, with how often each was needed and which ids stand for which. */
export type RuleBook = {
  /** The rules that hold at a path, in the order they were given; asking counts as use. */
  at(operation: string, path: string): readonly Rule[]
  /** Whether these two ids may stand for each other; if so, from now on only they do. */
  pair(name: string, left: unknown, right: unknown): boolean
  uses(): RuleUse[]
}

/** @param today as `2027-03-31`; a rule that ended before it no longer holds */
export function createRuleBook(rules: readonly Rule[], today: string): RuleBook {
  const entries = rules.map((rule) => ({
    rule,
    kind: KINDS.find((kind) => rule[kind] !== undefined) as RuleKind,
    matches: matcher(rule.at),
    used: 0,
    expired: rule.until < today,
  }))
  const found = new Map<string, typeof entries>()
  const pairs = new Map<string, { there: Map<string, string>; back: Map<string, string> }>()
  return {
    at(operation, path) {
      const key = `${operation} ${path}`
      let hits = found.get(key)
      if (!hits) {
        hits = entries.filter(
          ({ rule, matches, expired }) =>
            !expired && (rule.operation === undefined || rule.operation === operation) && matches(path),
        )
        // Long lists have many paths; what is remembered stays bounded.
        if (found.size < 50_000) found.set(key, hits)
      }
      for (const hit of hits) hit.used++
      return hits.map((hit) => hit.rule)
    },
    pair(name, one, other) {
      // A number in an answer may be a text in an event, and is the same id.
      const [left, right] = [String(one), String(other)]
      const known = pairs.get(name) ?? { there: new Map(), back: new Map() }
      pairs.set(name, known)
      if (!known.there.has(left) && !known.back.has(right)) {
        known.there.set(left, right)
        known.back.set(right, left)
        return true
      }
      return known.there.get(left) === right && known.back.get(right) === left
    },
    uses: () => entries.map(({ rule, kind, used, expired }) => ({ rule, kind, used, expired })),
  }
}
