/** Walks through the chapters: shows a step, executes its blocks, stops at the first that does not hold. */
import { createInterface } from 'node:readline/promises'
import type { Measure } from '../shoppers/measure.ts'
import type { Chaos } from './chaos.ts'
import { type Block, type Chapter, executed, type Step, textOf } from './playbook.ts'
import type { StageReport, StepReport, SwitchReport } from './report.ts'
import { rowsOf } from './rows.ts'
import { runBlock } from './run-block.ts'
import { indented, title } from './show.ts'
import { directionOf, watchSwitch } from './switches.ts'

export type Walk = {
  chapters: readonly Chapter[]
  root: string
  env: Record<string, string>
  measure: Measure
  /** Wait for Enter before each step. */
  ask: boolean
  /** Kills a process in every chapter, and runs the blocks as somebody who sees it would. */
  chaos?: Chaos | undefined
}

/** Longer than the longest step of the page may take on a slow machine. */
const BLOCK_LIMIT_MS = 180_000

/** @returns the report of every chapter walked; the last one holds a step that is not ok if the walk stopped there */
export async function walk({ chapters, root, env, measure, ask, chaos }: Walk): Promise<StageReport[]> {
  const reports: StageReport[] = []
  for (const chapter of chapters) {
    const steps: StepReport[] = []
    const switches: SwitchReport[] = []
    title(`Stage ${chapter.name}`)
    indented(chapter.prose)
    chaos?.begin(chapter)
    for (const step of chapter.steps) {
      title(step.title, 'step')
      indented(textOf(step, ask))
      if (ask) await enter()
      const report = await walkStep(step, { root, env, measure, switches, chaos })
      steps.push(report)
      if (!report.ok) break
    }
    await chaos?.end()
    reports.push({ name: chapter.name, steps, rows: await rowsOf(chapter, root, env), switches })
    if (steps.some((step) => !step.ok)) break
  }
  return reports
}

type Around = Pick<Walk, 'root' | 'env' | 'measure' | 'chaos'> & { switches: SwitchReport[] }

async function walkStep(step: Step, { root, env, measure, switches, chaos }: Around): Promise<StepReport> {
  const run = chaos ? chaos.run.bind(null, step.title) : runBlock
  const blocks = executed(step)
  let seconds = 0
  let ok = true
  for (const block of blocks) {
    const ended = await watched(block, env, measure, switches)
    console.log(`\n    $ ${block.command.replaceAll('\n', '\n      ')}`)
    const result = await run(block.command, {
      cwd: root,
      env,
      show: (text) => process.stdout.write(text.replace(/^(?=.)/gm, '      ')),
      withinMs: BLOCK_LIMIT_MS,
    })
    await ended?.()
    seconds += result.seconds
    ok = result.code === 0
    console.log(`    ${ok ? '✓' : `✗ exit code ${result.code}`} (${result.seconds} s)`)
    if (!ok) break
  }
  const command = blocks.map((block) => block.command).join('\n')
  return { title: step.title, command, seconds: Math.round(seconds * 100) / 100, ok }
}

/** For a block that switches: the measure is opened now, and closed by what is returned. */
async function watched(
  block: Block,
  env: Record<string, string>,
  measure: Measure,
  switches: SwitchReport[],
): Promise<(() => Promise<void>) | undefined> {
  const direction = directionOf(block.command)
  if (!direction) return undefined
  const { OPS_URL: url = '', OPS_TOKEN: token = '', CONTROL_DATABASE_URL: control = '' } = env
  const end = await watchSwitch(direction, measure, { url, token, control })
  return async () => {
    const seen = await end()
    switches.push(seen)
    console.log(`    ${direction}: slowest held request ${seen.pauseMs} ms, ${seen.held} held, ${seen.failed} failed`)
  }
}

async function enter(): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  // readline takes Ctrl-C for itself while it waits.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  await terminal.question('    Enter goes on … ')
  terminal.close()
}
