/** Reads `docs/playbook.md`: the same text that people follow is what the tour and the tests execute. */

/** `run` acts, `check` proves, `back` shows the way back, which the tour executes only where it is tagged `run` too. */
export type Block = { kind: 'run' | 'check' | 'back'; execute: boolean; command: string; line: number }
/** `page` has its lines and its blocks in the page's order. */
export type Step = { title: string; page: (string | Block)[]; blocks: Block[] }
export type Chapter = { name: string; number: number; prose: string; steps: Step[] }

/**
 * Chapters are `## Stage <number>-<name>`, steps `### <title>`, commands fenced blocks whose info string begins with
 * `sh` and names what they are: `sh run`, `sh check`, `sh back`, `sh back run`. Other blocks are prose.
 * @throws with the line for a tagged block outside a step, an unknown tag, or a block that never ends
 */
export function parsePlaybook(text: string): Chapter[] {
  const chapters: Chapter[] = []
  let block: Block | undefined
  let fence: string | undefined
  for (const [index, line] of text.split('\n').entries()) {
    const chapter = chapters.at(-1)
    const step = chapter?.steps.at(-1)
    if (fence !== undefined) {
      if (line.trim() === '```') {
        if (block) block.command = block.command.trimEnd()
        block = undefined
        fence = undefined
      } else if (block) block.command += `${line}\n`
      else addLine(step, chapter, line)
      continue
    }
    const opened = /^```(.*)$/.exec(line)
    const stage = /^## Stage ((\d+)-[\w-]+)\s*$/.exec(line)
    const heading = /^### (.+)$/.exec(line)
    if (opened) {
      fence = opened[1] ?? ''
      block = newBlock(fence, index + 1)
      if (block && !step) throw new Error(`docs/playbook.md:${index + 1}: a command outside of a step (### …)`)
      if (block && step) {
        step.blocks.push(block)
        step.page.push(block)
      }
    } else if (stage) chapters.push({ name: stage[1]!, number: Number(stage[2]), prose: '', steps: [] })
    else if (/^## /.test(line) && chapter) break
    else if (heading && chapter) chapter.steps.push({ title: heading[1]!.trim(), page: [], blocks: [] })
    else addLine(step, chapter, line)
  }
  if (fence !== undefined) throw new Error('docs/playbook.md: the last ``` block never ends')
  return chapters
}

/** What is executed of a step, in the order of the page. */
export function executed(step: Step): Block[] {
  return step.blocks.filter((block) => block.execute)
}

/**
 * A step as it is shown before anything of it is executed.
 * @param commands also those that will be executed, which show themselves then; those that will not are there always
 */
export function textOf({ page }: Step, commands: boolean): string {
  const lines = page.flatMap((part) => {
    if (typeof part === 'string') return [part]
    if (!commands && part.execute) return []
    return [...(part.kind === 'check' ? ['Check:', ''] : []), ...part.command.split('\n').map((line) => `  $ ${line}`)]
  })
  return lines.join('\n').replace(/\n{3,}/g, '\n\n')
}

function newBlock(info: string, line: number): Block | undefined {
  const [language, ...tags] = info.trim().split(/\s+/)
  if (language !== 'sh' || tags.length === 0) return undefined
  const kind = (['back', 'check', 'run'] as const).find((each) => tags.includes(each))
  const unknown = tags.find((tag) => !['run', 'check', 'back'].includes(tag))
  if (!kind || unknown) throw new Error(`docs/playbook.md:${line}: "${unknown}" is none of run, check, back`)
  return { kind, execute: kind !== 'back' || tags.includes('run'), command: '', line }
}

function addLine(step: Step | undefined, chapter: Chapter | undefined, line: string): void {
  if (step) step.page.push(line)
  else if (chapter) chapter.prose += `${line}\n`
}
