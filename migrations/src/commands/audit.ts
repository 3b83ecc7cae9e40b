import { readAudit } from '../control/audit.ts'
import { knownContext } from './ask.ts'
import type { AddCommand } from './cli.ts'
import { wholeNumber } from './whole-number.ts'

type Line = {
  at: Date
  who: string
  what: string
  context: string | null
  new: unknown
  why: string | null
  result: string | null
}

export const addAudit: AddCommand = (program, cli) => {
  program
    .command('audit [context]')
    .description('show who did what, when, why and with what result; newest first')
    .option('--limit <n>', 'how many lines', '20')
    .option('--json', 'print one JSON array')
    .action((context: string | undefined, given: { limit: string; json?: boolean }) =>
      cli.run(given, async (setup, out) => {
        const limit = wholeNumber('--limit', given.limit, 1)
        if (context !== undefined) await knownContext(setup, context)
        const lines = (await readAudit(setup.control(), context, limit)) as Line[]
        const shown = lines.map(({ at, who, what, context: about, new: now, why, result }) =>
          [
            at.toISOString(),
            about ?? '-',
            what,
            `by ${who}`,
            result ?? '',
            why ? `(${why})` : '',
            now ? JSON.stringify(now) : '',
          ]
            .filter(Boolean)
            .join('  '),
        )
        out.result(lines, shown.join('\n') || 'nothing yet')
      }),
    )
}
