/** `npm start`: boots the stack, lets shoppers loose, walks through the playbook, and proves that nothing was lost. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { endWithStarter } from '../embedded/lifeline.ts'
import { ROOT, type Stack } from '../embedded/stack.ts'
import { HELP, type Options, readOptions } from './options.ts'
import { type Chapter, parsePlaybook } from './playbook.ts'
import { endBlocks } from './run-block.ts'
import { startTourStack, tour } from './tour.ts'

const chapters = parsePlaybook(readFileSync(join(ROOT, 'docs/playbook.md'), 'utf8'))
const options = optionsOrEnd(process.argv.slice(2), chapters)
let stack: Stack | undefined
let ending = false
endWithStarter(async () => {
  ending = true
  endBlocks()
  await stack?.stop()
})
let ok = false
try {
  const last = options.through ? chapters.findIndex((chapter) => chapter.name === options.through) : chapters.length - 1
  const walked = chapters.slice(0, last + 1)
  stack = await startTourStack(walked)
  ok = await tour(stack, walked, options)
  if (options.stay) {
    console.log('\nThe stack stays up; Ctrl-C stops everything.')
    console.error(`${await stack.broken} has ended; its log is in ${stack.logs}`)
  }
} catch (error) {
  // What fails while everything is being stopped is no news.
  if (!ending) console.error(`banyan: ${(error as Error).message}`)
}
await stack?.stop()
process.exit(ending ? 130 : ok ? 0 : 1)

function optionsOrEnd(args: readonly string[], all: readonly Chapter[]): Options {
  try {
    const read = readOptions(
      args,
      all.map((chapter) => chapter.name),
    )
    if (!read.help) return read
    console.log(HELP)
    process.exit(0)
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`)
    process.exit(2)
  }
}
