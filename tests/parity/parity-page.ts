/** The blocks of docs/parity.md, each with the heading it stands under. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export type Block = { under: string; language: string; text: string }

export function blocksOfPage(): Block[] {
  const page = readFileSync(join(import.meta.dirname, '../../docs/parity.md'), 'utf8')
  return page.split(/^#+ /m).flatMap((part) => {
    const under = part.split('\n', 1)[0] ?? ''
    return [...part.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
      ...{ under, language },
      text,
    }))
  })
}
