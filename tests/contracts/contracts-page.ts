/** The blocks of docs/contracts.md that say what to run. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export type Block = { language: 'sql' | 'sh'; where: string; text: string }

export function blocksOfPage(): Block[] {
  const page = readFileSync(join(import.meta.dirname, '../../docs/contracts.md'), 'utf8')
  return [...page.matchAll(/^```(sql|sh) ?(\w*)\n([\s\S]*?)^```$/gm)].map(([, language, where, text]) => ({
    language: language as Block['language'],
    where: where ?? '',
    text: text ?? '',
  }))
}
