import { readContexts } from '../control/contexts.ts'
import { knownContext } from './ask.ts'
import type { AddCommand } from './cli.ts'
import { readStatus } from './read-status.ts'
import { showStatus } from './show-status.ts'

export const addStatus: AddCommand = (program, cli) => {
  program
    .command('status [context]')
    .description('show phase, rows done of total, rate, lag, differences, time left, intents and who watches')
    .option('--json', 'print one JSON object')
    .action((context: string | undefined, given: { json?: boolean }) =>
      cli.run(given, async (setup, out) => {
        if (context !== undefined) await knownContext(setup, context)
        const names =
          context === undefined ? (await readContexts(setup.control())).map((one) => one.context) : [context]
        const statuses = []
        for (const name of names) statuses.push(await readStatus(setup, name))
        const flat = statuses.map(({ stored, ...rest }) => ({ ...stored, ...rest }))
        out.result(
          context === undefined ? flat : flat[0],
          statuses.map(showStatus).join('\n\n') || 'no context is known yet: banyan init',
        )
      }),
    )
}
