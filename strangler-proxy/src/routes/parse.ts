import { type Document, LineCounter, parseDocument } from 'yaml'
import type { z } from 'zod'
import { parsePattern, type Relation, relate } from './pattern.ts'
import type { Route } from './route.ts'
import { routeTableSchema, type WrittenRule } from './schema.ts'

/** Milliseconds for a rule that names none. */
const DEFAULT_DEADLINE_MS = 30_000

/** Paths that the public listener answers with 404, whatever the table says. */
export const RESERVED = ['internal', 'metrics', 'health']

/** A route table that cannot be used; the message names every fault with its file, its line and what to do. */
export class RouteTableError extends Error {
  override readonly name = 'RouteTableError'
}

export interface RouteTable {
  readonly routes: readonly Route[]
  /** Each context with the name its service registers its instances under. */
  readonly services: Readonly<Record<string, string>>
  /** Members with personal data, by the rule's path; under `''` those of every rule. */
  readonly personal: Readonly<Record<string, readonly string[]>>
}

/**
 * Reads and checks a route table. Throws RouteTableError with all faults at once: form, unknown contexts, rules that
 * overlap without one being the narrower, and rules no request can reach.
 * @param text the YAML
 * @param file the name that errors show
 */
export function parseRoutes(text: string, file: string): RouteTable {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const lineOf = (path: readonly PropertyKey[]) => lineAt(document, lines, path)
  const faults: string[] = document.errors.map((error) => `${file}:${error.linePos?.[0].line ?? 1}: ${error.message}`)
  if (faults.length > 0) throw new RouteTableError(faults.join('\n'))

  const read = routeTableSchema.safeParse(document.toJS())
  if (!read.success) {
    throw new RouteTableError(
      read.error.issues
        .map((issue) => `${file}:${lineOf(issue.path)}: ${issue.path.join('.') || 'table'}: ${remedyOf(issue)}`)
        .join('\n'),
    )
  }
  const { contexts: services, routes: written } = read.data
  const contexts = Object.keys(services)
  const routes = written.map((rule, at) => toRoute(rule, lineOf(['routes', at])))
  for (const [at, rule] of written.entries()) {
    for (const fault of faultsOf(rule, contexts)) faults.push(`${file}:${lineOf(['routes', at])}: ${fault}`)
  }
  if (faults.length === 0) faults.push(...overlaps(routes).map(([line, fault]) => `${file}:${line}: ${fault}`))
  if (faults.length > 0) throw new RouteTableError(faults.join('\n'))
  return { routes, services, personal: personalOf(written, read.data.personal) }
}

/** What is wrong with the form and what to do; our own messages say both by what they ask for. */
function remedyOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys')
    return `unknown key ${issue.keys.map((key) => `"${key}"`).join(', ')}: correct its spelling or remove it`
  if (issue.code !== 'invalid_type') return issue.message
  const must = `must be ${issue.expected === 'object' ? 'a mapping' : issue.expected === 'array' ? 'a list' : `a ${issue.expected}`}`
  return issue.message.endsWith('received undefined') ? `is missing: add it; it ${must}` : must
}

function personalOf(written: readonly WrittenRule[], everywhere: readonly string[]): Record<string, string[]> {
  const result: Record<string, string[]> = { '': [...everywhere] }
  for (const { path, personal = [] } of written) result[path] = [...(result[path] ?? []), ...personal]
  return result
}

function toRoute(rule: WrittenRule, line: number): Route {
  return {
    name: `${rule.method.join('|')} ${rule.path}`,
    methods: rule.method,
    path: rule.path,
    context: rule.context,
    access: rule.access,
    writes: rule.access === 'read' ? [] : (rule.writes ?? [rule.context]),
    auth: rule.auth,
    bodyLimit: rule.limits?.body ?? null,
    deadlineMs: rule.deadline ?? DEFAULT_DEADLINE_MS,
    resend: rule.resend ?? (rule.access === 'read' ? 'always' : 'never'),
    line,
  }
}

function faultsOf(rule: WrittenRule, contexts: readonly string[]): string[] {
  const faults: string[] = []
  for (const context of new Set([rule.context, ...(rule.writes ?? [])])) {
    if (!contexts.includes(context)) {
      faults.push(`unknown context "${context}"; known are ${contexts.join(', ')}: correct it or add it to "contexts"`)
    }
  }
  if (rule.access === 'read' && rule.writes)
    faults.push('a read writes nothing: remove "writes" or say "access: write"')
  if (rule.access === 'write' && rule.writes && !rule.writes.includes(rule.context)) {
    faults.push(`"writes" must name the rule's own context "${rule.context}" too`)
  }
  try {
    const first = parsePattern(rule.path)[0]
    if (first !== undefined && RESERVED.includes(first)) {
      faults.push(`unreachable: the public listener answers 404 below /${first}; remove the rule`)
    }
  } catch (error) {
    faults.push((error as Error).message)
  }
  return faults
}

function overlaps(routes: readonly Route[]): [line: number, fault: string][] {
  const faults: [number, string][] = []
  const patterns = routes.map((route) => parsePattern(route.path))
  for (const [at, later] of routes.entries()) {
    for (let before = 0; before < at; before += 1) {
      const earlier = routes[before]!
      if (!later.methods.some((method) => earlier.methods.includes(method))) continue
      const fault = faultOf(relate(patterns[before]!, patterns[at]!), earlier, later)
      if (fault) faults.push([later.line, fault])
    }
  }
  return faults
}

function faultOf(relation: Relation, earlier: Route, later: Route): string | null {
  if (relation === 'same') {
    return `"${later.name}" is unreachable: line ${earlier.line} "${earlier.name}" matches the same requests; remove one`
  }
  if (relation === 'crossing') {
    return `"${later.name}" overlaps line ${earlier.line} "${earlier.name}" and neither is the narrower; spell out the paths they share`
  }
  return null
}

function lineAt(document: Document, lines: LineCounter, path: readonly PropertyKey[]): number {
  for (let depth = path.length; depth >= 0; depth -= 1) {
    const node = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true)
    const range = (node as { range?: readonly number[] } | undefined)?.range
    if (range) return lines.linePos(range[0]!).line
  }
  return 1
}
