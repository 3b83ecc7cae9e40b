import type { Command } from 'commander'
import type { Phase } from '../control/stored.ts'
import { knownContext } from './ask.ts'
import type { AddCommand } from './cli.ts'
import { Refused } from './refused.ts'
import { flagsOf, setShare, shareOf, waitsFor } from './share.ts'
import { shiftAuto } from './shift-auto.ts'

/**
 * The phases in which a share takes reads to the service: both sides hold the whole of the data, and the monolith owns it
 * still, or again once a rollback is over.
 */
const SPLIT: readonly Phase[] = ['ready', 'switching', 'aborting']

/** What only a climb has a use for. */
const OF_AUTO = ['interval', 'samples', 'killSwitch']
const flagOf = (option: string) => `--${option === 'killSwitch' ? 'kill-switch' : option}`

type Given = {
  auto?: string
  interval: string
  samples: string
  killSwitch?: boolean
  dryRun?: boolean
  json?: boolean
  why?: string
}

export const addShift: AddCommand = (program, cli) => {
  program
    .command('shift <context> [percent]')
    .description('set the share of reads that the other side answers (the way back: banyan shift <context> 0)')
    .option(
      '--auto <shares>',
      'climb through these shares, such as 1,5,25,50,100, and go back by itself when it is worse',
    )
    .option('--interval <seconds>', 'with --auto: how long each look at it is', '60')
    .option('--samples <n>', 'with --auto: reads of each side below which no share is raised', '100')
    .option('--kill-switch', 'with --auto: send reads back by the kill switch as well, within a tenth of a second')
    .option('--dry-run', 'show the requests to Unleash and send none')
    .option('--json', 'print one JSON object')
    .option('--why <reason>', 'written into the audit')
    .action((context: string, share: string | undefined, given: Given, command: Command) =>
      cli.run(given, async (setup, out) => {
        if ((share === undefined) === (given.auto === undefined))
          throw new Refused('either a share or --auto with several: banyan shift <context> 5, or --auto 1,5,25,50,100')
        const alone = OF_AUTO.find((option) => command.getOptionValueSource(option) === 'cli')
        if (alone && given.auto === undefined)
          throw new Refused(`--auto with ${flagOf(alone)}: of a share that is set by hand nobody watches the reads`)
        if (given.auto !== undefined)
          return await shiftAuto(setup, out, { ...given, context, shares: given.auto, who: cli.who })
        const percent = shareOf(share!)
        await setup.plan(context)
        const { phase, reads } = await knownContext(setup, context)
        if (percent > 0 && !SPLIT.includes(phase)) throw new Refused(waitsFor(context, phase, 'shift reads'))
        const flag = `${context}-reads`
        const steps = flagsOf(setup).describe(flag, percent)
        if (given.dryRun) return out.result({ context, verb: 'shift', dryRun: true, steps }, steps.join('\n'))
        await setShare(setup, { context, verb: 'shift', flag, percent, who: cli.who, why: given.why ?? null })
        const then =
          reads === 'owner'
            ? 'but the kill switch is on, and the owner answers all reads until it is released'
            : 'proxies follow within a second'
        out.result(
          { context, verb: 'shift', flag, percent, reads },
          `shift ${context}: ${flag} is at ${percent} %; ${then}`,
        )
      }),
    )
}
