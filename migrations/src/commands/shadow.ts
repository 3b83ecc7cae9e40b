import type { AddCommand } from './cli.ts'
import { Refused } from './refused.ts'

/** Keeps its name and refuses: a share that nothing reads must not look as if reads were being compared. */
export const addShadow: AddCommand = (program, cli) => {
  program
    .command('shadow <context> <percent>')
    .description('set the share of reads that are mirrored and compared (not built yet: refused)')
    .option('--dry-run', 'refused as well')
    .option('--json', 'print one JSON object')
    .option('--why <reason>', 'not kept, because nothing is done')
    .action((context: string, _share: string, given: { json?: boolean }) =>
      cli.run(given, async () => {
        throw new Refused(
          `mirroring to be built: no proxy mirrors reads of ${context} yet; banyan parity compares both sides before a switch`,
        )
      }),
    )
}
