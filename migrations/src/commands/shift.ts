import { recordAudit } from '../control/audit.ts'
import type { Phase } from '../control/stored.ts'
import { knownContext } from './ask.ts'
import type { AddCommand } from './cli.ts'
import { Refused } from './refused.ts'

/** The phases in which proxies let a share of the reads go to the other side: both hold the whole of the data. */
const SPLIT: readonly Phase[] = ['ready', 'switching', 'aborting', 'switched']

export const addShift: AddCommand = (program, cli) => {
  program
    .command('shift <context> <percent>')
    .description('set the share of reads that the other side answers (the way back: banyan shift <context> 0)')
    .option('--dry-run', 'show the requests to Unleash and send none')
    .option('--json', 'print one JSON object')
    .option('--why <reason>', 'written into the audit')
    .action((context: string, share: string, given: { dryRun?: boolean; json?: boolean; why?: string }) =>
      cli.run(given, async (setup, out) => {
        const percent = Number(share)
        if (!/^\d+$/.test(share) || percent > 100) throw new Refused('the share to be a whole number from 0 to 100')
        await setup.plan(context)
        const { phase } = await knownContext(setup, context)
        if (percent > 0 && !SPLIT.includes(phase)) throw new Refused(waitsFor(context, phase))
        const flags = setup.flagAdmin()
        if (!flags) throw new Refused('UNLEASH_URL and UNLEASH_ADMIN_TOKEN to be set: the share is a flag in Unleash')
        const name = `${context}-reads`
        const steps = flags.describe(name, percent)
        if (given.dryRun) return out.result({ context, verb: 'shift', dryRun: true, steps }, steps.join('\n'))
        await flags.setShare(name, percent)
        await recordAudit(setup.control(), {
          who: cli.who,
          what: 'shift',
          context,
          new: { [name]: percent },
          why: given.why ?? null,
          result: 'done',
        })
        out.result(
          { context, verb: 'shift', flag: name, percent },
          `shift ${context}: ${name} is at ${percent} %; proxies follow within a second`,
        )
      }),
    )
}

/** Why a share would do nothing: until both sides are seen to be equal, and after the end, proxies split no reads. */
function waitsFor(context: string, phase: Phase): string {
  if (phase === 'completed')
    return `a move to shift reads in; ${context} is completed, and its service answers them all`
  if (phase === 'following') return `${context} to be ready; it is following: banyan verify ${context}`
  return `${context} to be ready; it is ${phase}: banyan backfill, then verify`
}
