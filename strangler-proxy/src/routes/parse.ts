import type { Rule } from '@banyan/kit/parity/answers'
import { type Mistake, MistakesError, readYaml } from '@banyan/kit/yaml'
import type { BalanceSettings } from '../balance/settings.ts'
import type { CorsSettings } from '../gateway/cors.ts'
import type { Rate } from '../gateway/rate-limit.ts'
import { RESERVED } from '../reserved.ts'
import type { IdentityHeaders } from '../stripped.ts'
import { differenceFaults } from './differences.ts'
import { identityFaults } from './identity.ts'
import { PatternError, parsePattern, type Relation, relate } from './pattern.ts'
import type { Route } from './route.ts'
import { routeTableSchema, type WrittenRule } from './schema.ts'

/** Milliseconds for a rule that names none. */
const DEFAULT_DEADLINE_MS = 30_000

export interface RouteTable {
  readonly routes: readonly Route[]
  /** Each context with the name its service registers its instances under. */
  readonly services: Readonly<Record<string, string>>
  /** Members with personal data, by the rule's path; under `''` those of every rule. */
  readonly personal: Readonly<Record<string, readonly string[]>>
  /** Headers by which this monolith is told who somebody is. */
  readonly identity: IdentityHeaders
  /** What both sides' answers to a mirrored read may differ in. */
  readonly differences: readonly Rule[]
  readonly upstreams: BalanceSettings
  /** How many requests an address may send in all; null: any number. */
  readonly everywhere: Rate | null
  /** Bytes of a body that no rule names a limit for; null: any number. */
  readonly bodyLimit: number | null
  /** Null: requests may name any host. */
  readonly hosts: readonly string[] | null
  /** Null: upstreams say who may read their answers. */
  readonly cors: CorsSettings | null
}

/**
 * Reads and checks a route table: its form, unknown contexts, rules that overlap without one being the narrower, and
 * rules no request can reach.
 * @param text the YAML
 * @param file the name that errors show
 * @throws MistakesError with all faults at once
 */
export function parseRoutes(text: string, file: string): RouteTable {
  const { value, lineOf } = readYaml(file, text, routeTableSchema, 'route table')
  const { contexts: services, routes: written, personal, identity, differences, upstreams, limits } = value
  const { cors = null, hosts = null } = value
  const bodyLimit = limits.body ?? null
  const contexts = Object.keys(services)
  const routes = written.map((rule, at) => toRoute(rule, lineOf(['routes', at]), bodyLimit))
  const faults = written.flatMap((rule, at) => faultsOf(rule, contexts).map((fault) => ({ ...fault, at })))
  const mistakes: Mistake[] = faults.map(({ at, ...fault }) => ({ file, line: routes[at]!.line, ...fault }))
  mistakes.push(...identityFaults(identity).map(({ at, ...fault }) => ({ file, line: lineOf(at), ...fault })))
  mistakes.push(
    ...differenceFaults(differences, routes).map(({ at, ...fault }) => ({ file, line: lineOf(at), ...fault })),
  )
  if (mistakes.length === 0) mistakes.push(...overlaps(routes).map((fault) => ({ file, ...fault })))
  if (mistakes.length > 0) throw new MistakesError(mistakes)
  return {
    routes,
    services,
    personal: personalOf(written, personal),
    identity,
    differences,
    upstreams,
    everywhere: limits.address ?? null,
    bodyLimit,
    hosts,
    cors,
  }
}

function personalOf(written: readonly WrittenRule[], everywhere: readonly string[]): Record<string, string[]> {
  const result: Record<string, string[]> = { '': [...everywhere] }
  for (const { path, personal = [] } of written) result[path] = [...(result[path] ?? []), ...personal]
  return result
}

function toRoute(rule: WrittenRule, line: number, bodyLimit: number | null): Route {
  return {
    name: `${rule.method.join('|')} ${rule.path}`,
    methods: rule.method,
    path: rule.path,
    context: rule.context,
    access: rule.access,
    writes: rule.access === 'read' ? [] : (rule.writes ?? [rule.context]),
    auth: rule.auth,
    bodyLimit: rule.limits?.body ?? bodyLimit,
    rates: { address: rule.limits?.address ?? null, account: rule.limits?.account ?? null },
    deadlineMs: rule.deadline ?? DEFAULT_DEADLINE_MS,
    resend: rule.resend ?? (rule.access === 'read' ? 'always' : 'never'),
    line,
  }
}

type Fault = Pick<Mistake, 'message' | 'remedy'>

function faultsOf(rule: WrittenRule, contexts: readonly string[]): Fault[] {
  const faults: Fault[] = []
  const add = (message: string, remedy: string) => faults.push({ message, remedy })
  for (const context of new Set([rule.context, ...(rule.writes ?? [])])) {
    if (!contexts.includes(context))
      add(`unknown context "${context}"; known are ${contexts.join(', ')}`, 'correct it, or add it to "contexts"')
  }
  if (rule.limits?.account && rule.auth !== 'required')
    add('a rate per account on a rule that requires no token', 'say "auth: required", or limit the address')
  if (rule.access === 'read' && rule.writes) add('a read writes nothing', 'remove "writes" or say "access: write"')
  if (rule.access === 'write' && rule.writes && !rule.writes.includes(rule.context))
    add(`"writes" leaves the rule's own context "${rule.context}" out`, 'name it too')
  try {
    const first = parsePattern(rule.path)[0]
    if (first !== undefined && RESERVED.includes(first))
      add(`unreachable: the public listener answers 404 below /${first}`, 'remove the rule')
  } catch (error) {
    if (!(error instanceof PatternError)) throw error
    add(error.message, error.remedy)
  }
  return faults
}

function overlaps(routes: readonly Route[]): (Fault & { line: number })[] {
  const faults: (Fault & { line: number })[] = []
  const patterns = routes.map((route) => parsePattern(route.path))
  for (const [at, later] of routes.entries()) {
    for (let before = 0; before < at; before += 1) {
      const earlier = routes[before]!
      if (!later.methods.some((method) => earlier.methods.includes(method))) continue
      const fault = faultOf(relate(patterns[before]!, patterns[at]!), earlier, later)
      if (fault) faults.push({ line: later.line, ...fault })
    }
  }
  return faults
}

function faultOf(relation: Relation, earlier: Route, later: Route): Fault | null {
  if (relation === 'same')
    return {
      message: `"${later.name}" is unreachable: line ${earlier.line} "${earlier.name}" matches the same requests`,
      remedy: 'remove one of the two',
    }
  if (relation === 'crossing')
    return {
      message: `"${later.name}" overlaps line ${earlier.line} "${earlier.name}" and neither is the narrower`,
      remedy: 'spell out the paths they share',
    }
  return null
}
