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

/** @returns zeros for a chapter that moves nothing */
export async function rowsOf(chapter: Chapter, root: string, env: Record<string, string>): Promise<Rows> {
  const commands = chapter.steps.flatMap((step) => step.blocks.map((block) => block.command)).join('\n')
  const context = /banyan -- prepare (\w+)/.exec(commands)?.[1]
  if (!context) return NONE
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
