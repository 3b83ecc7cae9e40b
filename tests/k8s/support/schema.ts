/** Kubernetes' own shapes, closed: a field that they do not know is a fault. */
import { readFileSync } from 'node:fs'
import { Ajv, type ValidateFunction } from 'ajv'
import type { Obj } from './objects.ts'

const read = (name: string) => JSON.parse(readFileSync(new URL(`../schemas/${name}.json`, import.meta.url), 'utf8'))
const ajv = new Ajv({ allErrors: true, strict: false })
for (const name of ['kubernetes', 'rabbitmq']) ajv.addSchema(read(name), name)
const known = new Map<string, ValidateFunction>()

function validatorOf(kind: string): ValidateFunction | undefined {
  if (known.has(kind)) return known.get(kind)
  for (const file of ['kubernetes', 'rabbitmq']) {
    try {
      const found = ajv.getSchema(`${file}#/definitions/${kind}`)
      if (found) known.set(kind, found)
    } catch {
      // Of two files one has no such definition.
    }
  }
  return known.get(kind)
}

/** @returns what the schema of its kind and version says against an object; a kind without a schema is a fault too. */
export function schemaFaults(object: Obj): string[] {
  const validate = validatorOf(object.kind)
  if (!validate) return [`${object.kind}: no schema in tests/k8s/schemas`]
  if (validate(object)) return []
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath || '/'} ${message} ${JSON.stringify(params)}`,
  )
}
