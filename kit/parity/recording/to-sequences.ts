/** A recording as sequences: each session in its order; sessions that use what others made are one sequence. */
import type { Sequence, Step } from '../step.ts'
import { accountSteps, identityOf, type UserRule, variableOf } from './accounts.ts'
import type { Recorded } from './format.ts'
import type { Id } from './ids-of.ts'
import { createReferences, type Source } from './references.ts'
import { toStep } from './to-step.ts'

export type ReplaySettings = {
  users: readonly UserRule[]
  /** Steps that make an account; the last one logs in and captures `token`. */
  accounts: readonly Step[]
  unique: readonly string[]
  values: Readonly<Record<string, unknown>>
}

/** What was recorded without its body cannot be sent. */
export type Replayable = { sequences: Sequence[]; skipped: number }

/** @throws Error when a user was recorded and the settings say no way to be one */
export function toSequences(recording: readonly Recorded[], settings: ReplaySettings): Replayable {
  const ordered = [...recording].sort((a, b) => a.n - b.n)
  const references = createReferences()
  const groups = createGroups()
  const sourceOf = new Map<string, Source>()
  const key = (exchange: Recorded, value: Id, nouns: readonly string[]) =>
    `${exchange.n} ${typeof value} ${value} ${nouns}`
  const kept = ordered.filter((exchange) => {
    const find = (value: Id, nouns: readonly string[]) => {
      const source = references.find(exchange, value, nouns)
      if (source) {
        sourceOf.set(key(exchange, value, nouns), source)
        groups.join(exchange.session, source.exchange.session)
      }
      return undefined
    }
    const step = toStep(exchange, { ...settings, variableOf: find })
    if (!step) return false
    if (exchange.token) find(exchange.token, [])
    references.answered(exchange)
    return true
  })

  const captures = new Map<number, Map<string, string>>()
  const variable = (exchange: Recorded) => (value: Id, nouns: readonly string[]) => {
    const source = sourceOf.get(key(exchange, value, nouns))
    if (!source) return undefined
    const names = captures.get(source.exchange.n) ?? new Map<string, string>()
    captures.set(source.exchange.n, names)
    const name = names.get(source.at) ?? `r${source.exchange.n}-${names.size}`
    names.set(source.at, name)
    return name
  }
  const numbers = new Map<string, number>()
  const parts = [...Map.groupBy(kept, ({ session }) => groups.of(session)).values()]
  const sessions = [...new Set(kept.map(({ session }) => session))]
  const sequences = parts.map((exchanges): Sequence => {
    const own = [...new Set(exchanges.map(({ session }) => sessions.indexOf(session) + 1))].sort((a, b) => a - b)
    const known = new Set<string>()
    const steps = exchanges.flatMap((exchange) => {
      const step = toStep(exchange, { ...settings, variableOf: variable(exchange) })!
      return withUser(exchange, step, { exchanges, known, numbers, settings, token: variable(exchange) })
    })
    return { name: `recorded ${own.length > 1 ? 'sessions' : 'session'} ${own.join(', ')}`, kind: 'recorded', steps }
  })
  for (const [at, exchanges] of parts.entries()) addCaptures(sequences[at]!, exchanges, captures)
  return { sequences, skipped: ordered.length - kept.length }
}

/** The step of each exchange knows it by its number; what later ones need is captured there. */
function addCaptures(
  sequence: { steps: readonly Step[] },
  exchanges: readonly Recorded[],
  captures: ReadonlyMap<number, ReadonlyMap<string, string>>,
): void {
  const steps = sequence.steps.filter(({ recorded }) => recorded !== undefined)
  for (const [at, { n }] of exchanges.entries()) {
    const names = captures.get(n)
    if (names) steps[at]!.capture = Object.fromEntries([...names].map(([path, name]) => [name, path]))
  }
}

/** Who asks: with the token this sequence was answered, else with an account of this world. */
function withUser(
  exchange: Recorded,
  step: Step,
  {
    exchanges,
    known,
    numbers,
    settings,
    token,
  }: {
    exchanges: readonly Recorded[]
    known: Set<string>
    numbers: Map<string, number>
    settings: ReplaySettings
    token: (value: Id, nouns: readonly string[]) => string | undefined
  },
): Step[] {
  const login = isLogin(exchange, settings) ? accountOfLogin(exchange, exchanges, known, numbers, settings) : []
  if (exchange.user === undefined) return [...login, step]
  const authorized = (value: string): Step => ({
    ...step,
    headers: { ...step.headers, authorization: `Bearer ${value}` },
  })
  if (exchange.answer.status === 401) return [authorized('no-longer-valid')]
  const answered = token(exchange.token!, [])
  if (answered) return [...login, authorized(`{{${answered}}}`)]
  const number = numberOf(exchange.user, numbers)
  const identity = identityOf(exchange, number, settings.users)
  if (identity) return [...login, { ...step, ...identity }]
  if (settings.accounts.length === 0)
    throw new Error(
      `the recording has a user with the claims ${JSON.stringify(exchange.claims ?? {})}, and neither recorded.users nor recorded.accounts of parity.yaml says who that is in a new world`,
    )
  const account = known.has(exchange.user) ? [] : accountSteps(settings.accounts, number)
  known.add(exchange.user)
  return [...login, ...account, authorized(`{{${variableOf(number, 'token')}}}`)]
}

function isLogin({ method, path, answer }: Recorded, { accounts }: ReplaySettings): boolean {
  const login = accounts.at(-1)
  return (
    login !== undefined && accounts.length > 1 && answer.status < 300 && method === login.method && path === login.path
  )
}

/** A login needs its account, unless the recording saw it being made. */
function accountOfLogin(
  login: Recorded,
  exchanges: readonly Recorded[],
  known: Set<string>,
  numbers: Map<string, number>,
  { accounts }: ReplaySettings,
): Step[] {
  const who = /‹email [0-9a-f]+›/.exec(JSON.stringify(login.body))?.[0]
  const first = accounts[0]!
  const made = exchanges.some(
    ({ n, method, path, body, answer }) =>
      n < login.n &&
      answer.status < 300 &&
      method === first.method &&
      path === first.path &&
      JSON.stringify(body).includes(who ?? '‹'),
  )
  if (who === undefined || made || known.has(who)) return []
  known.add(who)
  // The account alone: the recorded login follows by itself.
  return accountSteps(accounts, numberOf(who, numbers), login).slice(0, -1)
}

function numberOf(user: string, numbers: Map<string, number>): number {
  const number = numbers.get(user) ?? numbers.size + 1
  numbers.set(user, number)
  return number
}

/** Sessions that belong together, however long the chain. */
function createGroups() {
  const parents = new Map<string, string>()
  const of = (name: string): string => {
    const parent = parents.get(name)
    return parent === undefined || parent === name ? name : of(parent)
  }
  return { of, join: (one: string, other: string) => void parents.set(of(one), of(other)) }
}
