import type { Command } from 'commander'
import { recordAudit } from '../control/audit.ts'
import type { Phase } from '../control/stored.ts'
import { knownContext } from './ask.ts'
import type { Cli } from './cli.ts'
import { Refused } from './refused.ts'

/** Reads may be answered by a side that follows the owner; before the copy is whole it would answer with gaps. */
const WHOLE: readonly Phase[] = ['following', 'ready', 'switching', 'aborting', 'switched', 'completed']

/** Adds a command that sets a share of reads in Unleash. */
export function addShare(
  program: Command,
  cli: Cli,
  { verb, flag, summary }: { verb: string; flag: 'reads' | 'shadow'; summary: string },
): void {
  program
    .command(`${verb} <context> <percent>`)
    .description(`${summary} (the way back: banyan ${verb} <context> 0)`)
    .option('--dry-run', 'show the requests to Unleash and send none')
    .option('--json', 'print one JSON object')
    .option('--why <reason>', 'written into the audit')
    .action((context: string, share: string, given: { dryRun?: boolean; json?: boolean; why?: string }) =>
      cli.run(given, async (setup, out) => {
        const percent = Number(share)
        if (!/^\d+$/.test(share) || percent > 100) throw new Refused('the share to be a whole number from 0 to 100')
        await setup.plan(context)
        const { phase } = await knownContext(setup, context)
        if (percent > 0 && !WHOLE.includes(phase))
          throw new Refused(
            `${verb} needs the copy of ${context} to be whole; it is ${phase}: banyan backfill, then verify`,
          )
        const flags = setup.flagAdmin()
        if (!flags) throw new Refused('UNLEASH_URL and UNLEASH_ADMIN_TOKEN to be set: the share is a flag in Unleash')
        const name = `${context}-${flag}`
        const steps = flags.describe(name, percent)
        if (given.dryRun) return out.result({ context, verb, dryRun: true, steps }, steps.join('\n'))
        await flags.setShare(name, percent)
        await recordAudit(setup.control(), {
          who: cli.who,
          what: verb,
          context,
          new: { [name]: percent },
          why: given.why ?? null,
          result: 'done',
        })
        out.result(
          { context, verb, flag: name, percent },
          `${verb} ${context}: ${name} is at ${percent} %; proxies follow within a second`,
        )
      }),
    )
}
