import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createValidator } from './validator.ts'

const FOLDER = join(import.meta.dirname, 'events')
const compile = createValidator()

/** The payloads' schemas by `<Type>.v<version>`; each file is one. */
const schemas = new Map(
  readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json'))
    .map((name) => [name.slice(0, -'.json'.length), compile(JSON.parse(readFileSync(join(FOLDER, name), 'utf8')))]),
)

/** @returns what is wrong with an event's payload, one line a fault; a type without a schema is a fault too */
export function checkEvent({ type, version, payload }: { type: string; version: number; payload: unknown }): string[] {
  const check = schemas.get(`${type}.v${version}`)
  if (!check) return [`${type} version ${version} has no schema in ${FOLDER}`]
  return check(payload).map((fault) => `${type}: ${fault}`)
}
