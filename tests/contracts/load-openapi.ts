import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'

export type Schema = Record<string, unknown>
export type Parameter = { name: string; in: 'path' | 'query' | 'header'; required?: boolean; schema: Schema }
export type Response = {
  description: string
  headers?: Record<string, { required?: boolean; schema: Schema }>
  content?: Record<string, { schema: Schema }>
}
export type Operation = {
  operationId: string
  method: string
  path: string
  security: Record<string, unknown>[]
  parameters?: Parameter[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, Response>
}

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const

/** Reads openapi.yaml with all files it points to, references resolved in place, and lists its operations. */
export function loadOperations(file = resolve(import.meta.dirname, 'openapi.yaml')): Map<string, Operation> {
  const document = createResolver()(file) as { paths: Record<string, Record<string, Omit<Operation, 'method'>>> }
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method]
      return operation ? [{ ...operation, method: method.toUpperCase(), path }] : []
    }),
  )
  return new Map(operations.map((operation) => [operation.operationId, operation]))
}

/** The contract has no schema that contains itself, so each reference can simply be replaced by what it points to. */
function createResolver(): (file: string) => unknown {
  const files = new Map<string, unknown>()
  const read = (file: string) => {
    if (!files.has(file)) files.set(file, parse(readFileSync(file, 'utf8')))
    return files.get(file)
  }

  function resolved(node: unknown, file: string): unknown {
    if (Array.isArray(node)) return node.map((item) => resolved(item, file))
    if (typeof node !== 'object' || node === null) return node
    const reference = (node as { $ref?: unknown }).$ref
    if (typeof reference === 'string') {
      const [name = '', pointer = ''] = reference.split('#')
      const target = name === '' ? file : resolve(dirname(file), name)
      return resolved(at(read(target), pointer, reference), target)
    }
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, resolved(value, file)]))
  }
  return (file) => resolved(read(file), file)
}

function at(document: unknown, pointer: string, reference: string): unknown {
  let node = document
  for (const part of pointer.split('/').slice(1)) {
    node = (node as Record<string, unknown> | undefined)?.[part.replaceAll('~1', '/').replaceAll('~0', '~')]
  }
  if (node === undefined) throw new Error(`${reference} points to nothing`)
  return node
}
