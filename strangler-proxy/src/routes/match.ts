import { parsePattern } from './pattern.ts'
import type { Route } from './route.ts'

/** Finds the rule of a request; null where no rule names it. `path` is normalised and carries no query. */
export type MatchRoute = (method: string, path: string) => Route | null

interface Node {
  readonly literals: Map<string, Node>
  parameter: Node | null
  readonly rest: Map<string, Route>
  readonly here: Map<string, Route>
}

/**
 * Compiles the rules into a tree of path segments. The narrower rule wins: a literal before a parameter before the
 * open end. A HEAD without a rule of its own is matched as the GET it stands for.
 */
export function compileRoutes(routes: readonly Route[]): MatchRoute {
  const root = emptyNode()
  for (const route of routes) insert(root, route)
  return (method, path) => {
    const lower = path.toLowerCase()
    const end = lower.length > 1 && lower.endsWith('/') ? lower.length - 1 : lower.length
    return (
      find(root, lower, 1, end, method) ?? (method === 'HEAD' ? find(root, lower, 1, end, 'GET') : undefined) ?? null
    )
  }
}

function find(node: Node, path: string, from: number, end: number, method: string): Route | undefined {
  if (from > end || (from === end && from === 1)) return node.here.get(method)
  const slash = path.indexOf('/', from)
  const stop = slash === -1 || slash > end ? end : slash
  if (stop === from) return undefined
  const literal = node.literals.get(path.slice(from, stop))
  return (
    (literal && find(literal, path, stop + 1, end, method)) ??
    (node.parameter ? find(node.parameter, path, stop + 1, end, method) : undefined) ??
    node.rest.get(method)
  )
}

function insert(root: Node, route: Route): void {
  let node = root
  for (const segment of parsePattern(route.path)) {
    if (segment === '*') {
      for (const method of route.methods) node.rest.set(method, route)
      return
    }
    node = child(node, segment)
  }
  for (const method of route.methods) node.here.set(method, route)
}

function child(node: Node, segment: string): Node {
  if (segment === ':') {
    node.parameter ??= emptyNode()
    return node.parameter
  }
  const known = node.literals.get(segment)
  if (known) return known
  const made = emptyNode()
  node.literals.set(segment, made)
  return made
}

function emptyNode(): Node {
  return { literals: new Map(), parameter: null, rest: new Map(), here: new Map() }
}
