import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const page = readFileSync(join(import.meta.dirname, '../../../docs/operate.md'), 'utf8')

/**
 * What docs/operate.md says that a stage is given.
 * @returns the cells of its row: the memory of Compose, then pods, processors, memory and most memory of Kubernetes
 */
export function documentedSize(stage: string): string[] {
  const row = page.split('\n').find((line) => line.startsWith(`| \`${stage}\` `))
  if (!row) throw new Error(`docs/operate.md has no row of ${stage}`)
  return row
    .split('|')
    .slice(2, -1)
    .map((cell) => cell.trim())
}
