import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../embedded/stack.ts'
import type { Mutation } from './mutation-list.ts'

/** A copy of the service with one line changed; its packages are found above it. @returns its folder */
export function mutant({ file, from, to }: Mutation, number: number): string {
  const folder = join(ROOT, '.banyan', `mutant-${process.pid}-${number}`)
  mkdirSync(folder, { recursive: true })
  for (const part of ['src', 'package.json'])
    cpSync(join(ROOT, 'extracted/inventory-service', part), join(folder, part), { recursive: true })
  const path = join(folder, 'src/inventory', file)
  const text = readFileSync(path, 'utf8')
  if (text.split(from).length !== 2) throw new Error(`mutation ${number}: ${file} does not hold its line exactly once`)
  // A function, so that a $ in the new line is only a $.
  writeFileSync(
    path,
    text.replace(from, () => to),
  )
  return folder
}
