/** A request as it is written down, before its side's own ids and tokens are filled in. */
export type Step = {
  name?: string | undefined
  /** Whose token is sent; nobody's without it. */
  as?: string | undefined
  /** Claims of the token, beside or instead of those of the identity. */
  claims?: Record<string, unknown> | undefined
  method: string
  path: string
  query?: Record<string, unknown> | undefined
  headers?: Record<string, string> | undefined
  body?: unknown
  /** Sent as it is instead of `body`: JSON that cannot be read, for instance. */
  raw?: string | undefined
  /** Sent as a form's fields instead of `body`. */
  form?: Record<string, unknown> | undefined
  /** The status it was answered with when it was recorded. */
  recorded?: number | undefined
  /** How many of it are sent at once. */
  together?: number | undefined
  /** Members whose value says only which of the concurrent requests it was, e.g. `orderId`. */
  either?: readonly string[] | undefined
  /** Names for parts of the answer, e.g. `{ product: $.body.id }`; used as `{{product}}` from then on. */
  capture?: Record<string, string> | undefined
  /** What both sides must answer, by path; `status` alone is `$.status`. */
  expect?: Record<string, unknown> | undefined
}

/** Steps that build on each other; each sequence makes what it needs, so any of them can be repeated alone. */
export type Sequence = {
  name: string
  kind: 'scenario' | 'generated' | 'recorded'
  steps: readonly Step[]
  /** Of a shorter form of a scenario or a recording: the whole, and which of its steps these are. */
  of?: { whole: Sequence; steps: readonly number[] } | undefined
}

/** A request ready to be sent. */
export type Ask = {
  as?: string | undefined
  claims?: Record<string, unknown> | undefined
  method: string
  path: string
  headers: Record<string, string>
  body?: string | undefined
}

/** The names that every sequence, or each of requests sent at once, is given. */
export const GIVEN = ['unique', 'number', 'other', 'index', 'nth'] as const

export type Variables = Map<string, unknown>

/**
 * What every sequence may use: `{{unique}}`, a word no other sequence of the run has, and `{{number}}`, a whole number,
 * and `{{other}}`, another; all the same on every side and for the same seed.
 */
export function startVariables(seed: number, sequence: string): Variables {
  let hash = 2_166_136_261
  for (const letter of `${seed}/${sequence}`) hash = Math.imul(hash ^ letter.charCodeAt(0), 16_777_619) >>> 0
  const unique = `${hash.toString(36)}${sequence.replace(/\D/g, '')}`.toUpperCase()
  return new Map<string, unknown>([
    ['unique', unique],
    ['number', 1_000_000_000 + hash * 1_000],
    ['other', 1_000_000_999 + hash * 1_000],
  ])
}

/** Whether what a step expects or captures stands in rows or events. */
export function namesEffects({ expect = {}, capture = {} }: Step): boolean {
  return [...Object.keys(expect), ...Object.values(capture)].some((path) => /^(\$\.)?(rows|events)\b/.test(path))
}

/** The names that a step, or a part of it, uses and cannot do without. */
export function namesIn(template: unknown): string[] {
  return [...new Set([...JSON.stringify(template).matchAll(/\{\{([\w-]+)\}\}/g)].map(([, name]) => name!))]
}

/**
 * Fills `{{name}}` in: a text that is nothing else takes the value with its type, else its text is put in. With
 * `{{name|7}}` the 7 stands in when an earlier step captured nothing.
 */
export function fill(template: unknown, variables: Variables): unknown {
  if (Array.isArray(template)) return template.map((item) => fill(item, variables))
  if (typeof template === 'object' && template !== null)
    return Object.fromEntries(Object.entries(template).map(([name, item]) => [name, fill(item, variables)]))
  if (typeof template !== 'string') return template
  const whole = /^\{\{([\w-]+)(?:\|([^}]*))?\}\}$/.exec(template)
  if (whole) return lookUp(variables, whole[1]!, whole[2])
  return template.replaceAll(/\{\{([\w-]+)(?:\|([^}]*))?\}\}/g, (_, name: string, fallback?: string) =>
    String(lookUp(variables, name, fallback)),
  )
}

/** @returns The request with everything filled in; the body as JSON. */
export function render(step: Step, variables: Variables): Ask {
  const query = pairs(step.query ?? {}, variables)
  const path = step.path.replaceAll(/\{\{[^}]*\}\}/g, (part) => encodeURIComponent(String(fill(part, variables))))
  const form = step.form && pairs(step.form, variables).toString()
  const body = step.raw ?? form ?? (step.body === undefined ? undefined : JSON.stringify(fill(step.body, variables)))
  return {
    as: step.as,
    ...(step.claims ? { claims: step.claims } : {}),
    method: step.method.toUpperCase(),
    path: query.size > 0 ? `${path}?${query}` : path,
    headers: {
      ...(body === undefined
        ? {}
        : { 'content-type': form === undefined ? 'application/json' : 'application/x-www-form-urlencoded' }),
      ...(fill(step.headers ?? {}, variables) as Record<string, string>),
    },
    body,
  }
}

function pairs(template: Record<string, unknown>, variables: Variables): URLSearchParams {
  const result = new URLSearchParams()
  for (const [name, value] of Object.entries(fill(template, variables) as Record<string, unknown>))
    for (const each of [value].flat()) result.append(name, String(each))
  return result
}

function lookUp(variables: Variables, name: string, fallback: string | undefined): unknown {
  const value = variables.get(name)
  if (value !== undefined && value !== null) return value
  if (fallback === undefined) return `missing-${name}`
  return /^-?\d+$/.test(fallback) ? Number(fallback) : fallback
}
