/** What passed through, made into what may be kept: without one secret, and of the answer only its ids. */
import { createMask, isSecretName } from '../mask.ts'
import { collectSecrets, createIsPersonal, findable } from '../personal.ts'
import { type Recorded, type RecordedBody, standIn } from './format.ts'
import { idsOf } from './ids-of.ts'

/** An exchange as it was. Bodies are undefined where there was none, and a text that says why where it is not here. */
export type Captured = {
  n: number
  at: number
  session: string
  /** The rule's path, such as `/api/resets/:token`, by which segments have names; null where no rule names it. */
  route: string | null
  method: string
  /** With the query. */
  url: string
  /** Names in lower case. */
  headers: Readonly<Record<string, string | string[] | undefined>>
  body?: CapturedBody | undefined
  status: number
  answerHeaders: Readonly<Record<string, string | string[] | undefined>>
  answerBody?: CapturedBody | undefined
}
export type CapturedBody = { text: string; type: string } | { omitted: string }

export type MaskExchange = (captured: Captured) => Recorded

const KEPT_HEADERS = ['accept', 'accept-language', 'content-type', 'idempotency-key', 'if-match', 'if-none-match']

/** Words that were secret once are secret wherever they stand later; so many are remembered. */
const REMEMBERED_AT_MOST = 20_000

/**
 * @param options.personal members that hold personal data, by the path of the route; under `''` those of every route
 * @param options.claims what of a token may be kept beside its subject, e.g. `role`
 */
export function createMaskExchange(options: {
  personal: Readonly<Record<string, readonly string[]>>
  claims: readonly string[]
}): MaskExchange {
  const remembered = new Set<string>()
  let isOwn = createIsPersonal([])
  const isPersonal = (member: string) => isOwn(member)
  let here: readonly string[] = []
  const learned = { now: () => here, has: (word: string) => remembered.has(word) }
  const mask = createMask([], { isPersonal, learned, strict: true, write: standIn })
  const secret = (value: string) => (mask.value({ secret: value }) as { secret: string }).secret
  const person = (kind: string, id: string) => standIn(kind, digestOf(secret(id)))

  return (captured) => {
    const own = [...(options.personal[''] ?? []), ...(options.personal[captured.route ?? ''] ?? [])]
    isOwn = createIsPersonal(own)
    const [pathname = '/', search = ''] = cut(captured.url, '?')
    const query = pairsOf(search)
    const token = tokenOf(captured.headers.authorization)
    const cookies = cookiesOf(captured.headers.cookie)
    const [body, answer] = [read(captured.body), read(captured.answerBody)]
    const segments = segmentsOf(pathname, captured.route)

    const words = new Set<string>()
    for (const part of [query, 'json' in body ? body.json : 'form' in body ? body.form : null])
      collectSecrets(part, isPersonal, words)
    collectSecrets('json' in answer ? answer.json : null, isPersonal, words)
    for (const { name, text } of segments) if (name && (isSecretName(name) || isPersonal(name))) words.add(text)
    for (const word of [token, ...Object.values(cookies)]) if (word) words.add(word)
    for (const word of words) if (word.length >= 6 && remembered.size < REMEMBERED_AT_MOST) remembered.add(word)
    here = findable(words)

    const claims = token === undefined ? undefined : claimsOf(token)
    const subject = claims?.sub === undefined ? token : String(claims.sub)
    const kept = Object.fromEntries(
      options.claims.flatMap((name) => (claims?.[name] === undefined ? [] : [[name, claims[name]]])),
    )
    const headers = KEPT_HEADERS.flatMap((name) => {
      const value = captured.headers[name]
      return typeof value === 'string' ? [[name, mask.text(value)]] : []
    })
    const path = segments.map(({ name, text }) =>
      name && (isSecretName(name) || isPersonal(name)) ? secret(text) : mask.text(text),
    )
    const ids = {
      ...idsOf(mask.value('json' in answer ? answer.json : null), '$.body'),
      ...headerIds(captured, secret, mask.text),
    }
    return {
      n: captured.n,
      at: captured.at,
      session: person('session', captured.session),
      ...(subject === undefined ? {} : { user: person('user', subject), token: secret(token!) }),
      ...(Object.keys(kept).length > 0 ? { claims: mask.value(kept) as Record<string, unknown> } : {}),
      method: captured.method,
      path: path.map((text) => (text.includes('‹') ? text : encodeURIComponent(text))).join('/'),
      ...(search ? { query: mask.value(query) as Record<string, string[]> } : {}),
      ...(headers.length > 0 ? { headers: Object.fromEntries(headers) } : {}),
      ...(Object.keys(cookies).length > 0
        ? { cookies: Object.fromEntries(Object.entries(cookies).map(([name, value]) => [name, secret(value)])) }
        : {}),
      ...(captured.body === undefined ? {} : { body: cleanBody(body, mask.value) }),
      answer: { status: captured.status, ...(Object.keys(ids).length > 0 ? { ids } : {}) },
    }
  }
}

const digestOf = (standsIn: string) => /[0-9a-f]{12}/.exec(standsIn)?.[0] ?? ''

function cleanBody(body: RecordedBody, clean: (value: unknown) => unknown): RecordedBody {
  if ('json' in body) return { json: clean(body.json) }
  return 'form' in body ? { form: clean(body.form) as Record<string, string[]> } : body
}

/** JSON and forms have members that say what is secret; of anything else nothing is kept. */
function read(body: CapturedBody | undefined): RecordedBody {
  if (body === undefined) return { omitted: 'none' }
  if ('omitted' in body) return body
  if (/[/+]json\b/i.test(body.type)) {
    try {
      return { json: JSON.parse(body.text) }
    } catch {
      return { omitted: 'unreadable' }
    }
  }
  if (/^application\/x-www-form-urlencoded\b/i.test(body.type)) return { form: pairsOf(body.text) }
  return { omitted: 'type' }
}

function pairsOf(text: string): Record<string, string[]> {
  const pairs: Record<string, string[]> = {}
  for (const [name, value] of new URLSearchParams(text))
    pairs[name] = [...(Object.hasOwn(pairs, name) ? pairs[name]! : []), value]
  return pairs
}

/** The path's segments with the names that the route gives them. */
function segmentsOf(path: string, route: string | null): { name: string | undefined; text: string }[] {
  const names = route?.split('/') ?? []
  return path.split('/').map((segment, at) => ({
    name: names[at]?.startsWith(':') ? names[at].slice(1) : undefined,
    text: decoded(segment),
  }))
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

function tokenOf(authorization: string | string[] | undefined): string | undefined {
  if (typeof authorization !== 'string') return undefined
  return cut(authorization, ' ')[1] || authorization
}

function claimsOf(token: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  } catch {
    return undefined
  }
}

/** The proxy's own cookies say nothing to the sides. One without a name is a value all the same. */
function cookiesOf(header: string | string[] | undefined): Record<string, string> {
  const parts = typeof header === 'string' ? header.split(';').map((part) => part.trim()) : []
  const cookies = parts.map((part): [string, string] => (part.includes('=') ? cut(part, '=') : ['', part]))
  return Object.fromEntries(cookies.filter(([name, value]) => name + value !== '' && !name.startsWith('banyan-')))
}

/** What a client sends back: the version of what it got, and cookies. */
function headerIds(
  { answerHeaders }: Captured,
  secret: (value: string) => string,
  clean: (text: string) => string,
): Record<string, string> {
  const { etag } = answerHeaders
  const cookies = [answerHeaders['set-cookie'] ?? []].flat().map((line) => cut(line.split(';')[0]!, '='))
  return {
    ...(typeof etag === 'string' && etag.length <= 100 ? { '$.headers.etag': clean(etag) } : {}),
    ...Object.fromEntries(
      cookies.flatMap(([name, value]) =>
        /^[\w-]+$/.test(name!) && !name!.startsWith('banyan-') && value
          ? [[`$.cookies.${name}.value`, secret(value)]]
          : [],
      ),
    ),
  }
}

function cut(text: string, at: string): [string, string] {
  const found = text.indexOf(at)
  return found < 0 ? [text, ''] : [text.slice(0, found), text.slice(found + 1)]
}
