import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'

export type Schema = {
  type?: string
  enum?: unknown[]
  const?: unknown
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  items?: Schema
  minItems?: number
  maxItems?: number
  properties?: Record<string, Schema>
  required?: string[]
  minProperties?: number
  not?: Schema
}
export type Parameter = { name: string; in: 'path' | 'query' | 'header'; required?: boolean; schema: Schema }
export type Operation = {
  operationId: string
  method: string
  path: string
  /** Names of the security schemes, any of which lets a request in; none for the public. */
  security: string[]
  parameters: Parameter[]
  body?: Schema | undefined
  /** Whether it has an answer of success, 2xx. */
  succeeds: boolean
}

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const

type Document = {
  security?: Record<string, unknown>[]
  paths: Record<string, Record<string, unknown> & { parameters?: Parameter[] }>
}
type Described = {
  operationId?: string
  security?: Record<string, unknown>[]
  parameters?: Parameter[]
  responses?: Record<string, unknown>
  requestBody?: { content?: Record<string, { schema?: Schema }> }
}

/** Reads an OpenAPI 3 contract with every file it points to, and lists its operations. */
export function readContract(file: string): Operation[] {
  const document = createResolver()(resolve(file)) as Document
  return Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const described = item[method] as Described | undefined
      if (!described) return []
      const content = described.requestBody?.content
      return [
        {
          operationId: described.operationId ?? `${method.toUpperCase()} ${path}`,
          method: method.toUpperCase(),
          path,
          security: (described.security ?? document.security ?? []).flatMap((scheme) => Object.keys(scheme)),
          parameters: [...(item.parameters ?? []), ...(described.parameters ?? [])],
          body: content?.['application/json']?.schema,
          succeeds: Object.keys(described.responses ?? {}).some((status) => status.startsWith('2')),
        },
      ]
    }),
  )
}

/** A schema that contains itself ends where it would begin again: there anything is generated. */
function createResolver(): (file: string) => unknown {
  const files = new Map<string, unknown>()
  const read = (file: string) => {
    if (!files.has(file)) files.set(file, parse(readFileSync(file, 'utf8')))
    return files.get(file)
  }

  function resolved(node: unknown, file: string, within: readonly string[]): unknown {
    if (Array.isArray(node)) return node.map((item) => resolved(item, file, within))
    if (typeof node !== 'object' || node === null) return node
    const reference = (node as { $ref?: unknown }).$ref
    if (typeof reference !== 'string')
      return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, resolved(value, file, within)]))
    const [name = '', pointer = ''] = reference.split('#')
    const target = name === '' ? file : resolve(dirname(file), name)
    const place = `${target}#${pointer}`
    if (within.includes(place)) return {}
    return resolved(at(read(target), pointer, reference), target, [...within, place])
  }
  return (file) => resolved(read(file), file, [])
}

function at(document: unknown, pointer: string, reference: string): unknown {
  let node = document
  for (const part of pointer.split('/').slice(1))
    node = (node as Record<string, unknown> | undefined)?.[part.replaceAll('~1', '/').replaceAll('~0', '~')]
  if (node === undefined) throw new Error(`${reference} points to nothing`)
  return node
}
