/** What a side did when it was asked: its answer, the rows it changed and the events it told. */
export type Observation = {
  status: number
  headers: Record<string, string>
  cookies: Record<string, unknown>
  /** Parsed JSON, else the text; absent when there was none. */
  body?: unknown
  rows?: Record<string, unknown>
  events?: readonly unknown[]
}

/** Several requests sent at once: their answers in an order of their own, since the sides may serve them in any. */
export type BurstObservation = {
  outcomes: readonly Observation[]
  rows?: Record<string, unknown>
  events?: readonly unknown[]
}

/** Whether the request, or any of those sent at once, was answered with success, 2xx. */
export function isSuccess(seen: Observation | BurstObservation): boolean {
  return 'outcomes' in seen ? seen.outcomes.some(isSuccess) : seen.status >= 200 && seen.status < 300
}

// They belong to the connection or to the moment, not to the answer.
const OF_THE_CONNECTION = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'set-cookie',
  'transfer-encoding',
])

/**
 * Puts an answer into the form that is compared.
 * @param headers with names in lower case; several `set-cookie` as an array
 */
export function observe(
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  text: string,
): Observation {
  const kept = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined || OF_THE_CONNECTION.has(name) ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
  )
  const cookies = [headers['set-cookie'] ?? []].flat().map(readCookie)
  const body = readBody(text, String(headers['content-type'] ?? ''))
  return {
    status,
    headers: Object.fromEntries(kept),
    cookies: Object.fromEntries(numbered(cookies)),
    ...(body === undefined ? {} : { body }),
  }
}

function readBody(text: string, type: string): unknown {
  if (text === '') return undefined
  if (!/[/+]json\b/.test(type)) return text
  try {
    return JSON.parse(text)
  } catch {
    // A body that is not what its header says is compared as the text it is.
    return text
  }
}

/** The cookie by name; of when it ends only whether it is over, since the instant is another with each answer. */
function readCookie(line: string): [string, Record<string, string>] {
  const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
  // Without a name it is a value, which is not to be told of as a name is.
  const [name, value] = pair.includes('=') ? cut(pair) : ['', pair]
  const told = attributes.map((attribute) => {
    const [key, said] = cut(attribute)
    if (key.toLowerCase() !== 'expires') return [key.toLowerCase(), said]
    return ['expires', Date.parse(said) <= Date.now() ? 'past' : 'given']
  })
  return [name, { value, ...Object.fromEntries(told) }]
}

/** The last of one name keeps it, as clients do; those before it, as for other paths, are `name#1` and so on. */
function numbered<T>(cookies: readonly [string, T][]): [string, T][] {
  return cookies.map(([name, cookie], at) => {
    const same = (others: readonly [string, T][]) => others.filter(([other]) => other === name).length
    return [same(cookies.slice(at + 1)) > 0 ? `${name}#${same(cookies.slice(0, at)) + 1}` : name, cookie]
  })
}

function cut(text: string): [string, string] {
  const at = text.indexOf('=')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}
