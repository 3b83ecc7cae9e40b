import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import type { Schema } from './load-openapi.ts'

/** What is wrong with a value, one line a fault; empty when nothing is. */
export type Validate = (value: unknown) => string[]

/**
 * @param options.coerce reads numbers out of strings, as paths and queries carry them
 * @returns compiles JSON Schemas (2020-12), each once
 */
export function createValidator(options: { coerce?: boolean } = {}): (schema: Schema) => Validate {
  const ajv = new Ajv2020({ allErrors: true, strict: false, coerceTypes: options.coerce ?? false })
  formats.default(ajv)
  const compiled = new WeakMap<Schema, Validate>()
  return (schema) => {
    const known = compiled.get(schema)
    if (known) return known
    const check = ajv.compile(schema)
    const validate: Validate = (value) => (check(value) ? [] : (check.errors ?? []).map(inWords))
    compiled.set(schema, validate)
    return validate
  }
}

const inWords = ({ instancePath, message, params }: ErrorObject) =>
  `${instancePath || '(root)'} ${message} ${JSON.stringify(params)}`
