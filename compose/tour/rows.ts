/** What a stage's move has copied and verified, as `banyan status` tells it. */
import { z } from 'zod'
import type { Chapter } from './playbook.ts'
import { runBlock } from './run-block.ts'

export type Rows = { copied: number; verified: number; different: number }

const NONE: Rows = { copied: 0, verified: 0, different: 0 }
const status = z.object({
  copy: z.object({ done: z.number() }).nullish(),
  verification: z.object({ rows: z.number(), different: z.number() }).nullish(),
})

/** @returns the sums over the contexts that the chapter moves; zeros for a chapter that moves none */
export async function rowsOf(chapter: Chapter, root: string, env: Record<string, string>): Promise<Rows> {
  const commands = chapter.steps.flatMap((step) => step.blocks.map((block) => block.command)).join('\n')
  const contexts = new Set([...commands.matchAll(/banyan -- prepare (\w+)/g)].map((found) => found[1]!))
  const sum = { ...NONE }
  for (const context of contexts) {
    const rows = await rowsOfContext(context, root, env)
    sum.copied += rows.copied
    sum.verified += rows.verified
    sum.different += rows.different
  }
  return sum
}

async function rowsOfContext(context: string, root: string, env: Record<string, string>): Promise<Rows> {
  const command = `npm run -s banyan -- status ${context} --json`
  const { output } = await runBlock(command, { cwd: root, env, show: () => undefined, withinMs: 30_000 })
  const known = status.safeParse(jsonOf(output))
  if (!known.success) return NONE
  const { copy, verification } = known.data
  return { copied: copy?.done ?? 0, verified: verification?.rows ?? 0, different: verification?.different ?? 0 }
}

function jsonOf(output: string): unknown {
  try {
    return JSON.parse(output.slice(output.indexOf('{')))
  } catch {
    return undefined
  }
}
