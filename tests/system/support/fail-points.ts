/** Every fail point of the engine, read from its sources, so that a new one cannot be forgotten. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../../../compose/embedded/stack.ts'

/** @returns the names below `folder` of the repository, in the order of files and lines */
export function failPointsOf(folder: string): string[] {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .sort()
  return files.flatMap((name) =>
    [...readFileSync(join(ROOT, folder, name), 'utf8').matchAll(/failPoint\('([\w.-]+)'\)/g)].map((found) => found[1]!),
  )
}
