/** A stage's Compose files put together as Compose does it: `include`, `extends`, `!reset` and `!override`. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isMap, isScalar, isSeq, parseDocument, type ScalarTag } from 'yaml'

export const COMPOSE = resolve(import.meta.dirname, '../../../compose')

export type Service = {
  image?: string
  build?: { context: string; args: Record<string, string> }
  command?: string[]
  entrypoint?: string[]
  environment?: Record<string, string>
  env_file?: string[]
  depends_on?: Record<string, { condition: string; restart?: boolean }>
  healthcheck?: { test?: string[]; disable?: boolean; start_period?: string }
  ports?: string[]
  networks?: string[]
  profiles?: string[]
  volumes?: string[]
  tmpfs?: string[]
  cap_add?: string[]
  cap_drop?: string[]
  security_opt?: string[]
  read_only?: boolean
  init?: boolean
  user?: string
  restart?: string
  mem_limit?: string
  pids_limit?: number
  stop_grace_period?: string
  logging?: { options?: Record<string, string> }
  container_name?: string
}

export type Stage = {
  name: string
  /** The files, in the order in which they are put together. */
  files: string[]
  services: Record<string, Service>
  volumes: Record<string, unknown>
  networks: Record<string, { internal?: boolean } | null>
}

type Node = Record<string, unknown>
/** What a tag asks for, in the place of the value it stands before. */
class Replaced {
  readonly value: unknown
  constructor(value: unknown) {
    this.value = value
  }
}
/** These are one string or a list of them. */
const LISTS = ['env_file', 'tmpfs', 'networks']
/** These are never appended to. */
const WHOLE = ['command', 'entrypoint', 'test']

/** @param stage a file's name in compose/, without its ending */
export function loadStage(stage: string): Stage {
  const top = read(`${stage}.yaml`) as { name: string; include: { path: string[] }[] }
  const files = top.include.flatMap(({ path }) => path)
  const whole = files.reduce<Node>((all, file) => merge(all, withExtends(read(file))) as Node, {})
  return { ...(dropEmpty(whole) as Omit<Stage, 'name' | 'files'>), name: top.name, files }
}

export function read(file: string): Node {
  const tag = (name: string) => ({ tag: name, identify: () => false, resolve: () => '' }) as unknown as ScalarTag
  const document = parseDocument(readFileSync(join(COMPOSE, file), 'utf8'), {
    customTags: [tag('!none')],
    logLevel: 'silent',
  })
  if (document.errors.length > 0) throw document.errors[0]
  return value(document.contents) as Node
}

function value(node: unknown): unknown {
  const { tag } = node as { tag?: string }
  const plain = isMap(node)
    ? Object.fromEntries(node.items.map(({ key, value: inner }) => [String(key), value(inner)]))
    : isSeq(node)
      ? node.items.map(value)
      : isScalar(node)
        ? node.value
        : null
  return tag === '!reset' ? new Replaced(undefined) : tag === '!override' ? new Replaced(plain) : plain
}

function withExtends(file: Node): Node {
  const services = Object.entries((file.services ?? {}) as Record<string, Node | Replaced>)
  return { ...file, services: Object.fromEntries(services.map(([name, service]) => [name, resolved(service, file)])) }
}

function resolved(service: Node | Replaced, file: Node): unknown {
  if (service instanceof Replaced || !service.extends) return service
  const { extends: from, ...own } = service
  const { file: other, service: name } = from as { file?: string; service: string }
  const base = other ? read(other) : file
  const found = (base.services as Record<string, Node>)[name]
  if (!found) throw new Error(`nothing to extend: ${name}`)
  return merge(resolved(found, base), own)
}

function merge(base: unknown, over: unknown, key = ''): unknown {
  if (over instanceof Replaced) return over.value
  if ((LISTS.includes(key) && !isNode(over)) || Array.isArray(over))
    return [...new Set(WHOLE.includes(key) || base === undefined ? [over ?? []].flat() : [base, over].flat())]
  if (!isNode(over) || !isNode(base)) return over === undefined ? base : settle(over)
  const keys = new Set([...Object.keys(base), ...Object.keys(over)])
  return Object.fromEntries(
    [...keys].map((each) => [each, each in over ? merge(base[each], over[each], each) : base[each]]),
  )
}

/** Where there is nothing beneath, tags fall away and lists become lists. */
function settle(over: unknown): unknown {
  if (!isNode(over)) return over
  return Object.fromEntries(Object.entries(over).map(([key, inner]) => [key, merge(undefined, inner, key)]))
}

function dropEmpty(all: Node): Node {
  const services = Object.entries((all.services ?? {}) as Node).filter(([, service]) => service !== undefined)
  return { ...all, services: Object.fromEntries(services) }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Replaced)
}
