import type { Phase } from '../control/stored.ts'
import { createProxies } from '../proxies/ask-proxies.ts'
import type { Setup } from '../setup.ts'
import { knownContext } from './ask.ts'
import type { AddCommand } from './cli.ts'
import type { Output } from './output.ts'
import { Refused } from './refused.ts'
import { flagsOf, setShare, shareOf, waitsFor } from './share.ts'
import { type ShadowState, stateIn, textOf } from './show-shadow.ts'

/** The phases at rest in which proxies compare: both sides hold the whole of the data. */
const COMPARED: readonly Phase[] = ['ready', 'switched']

type Given = { share?: string; dryRun?: boolean; json?: boolean; why?: string }

export const addShadow: AddCommand = (program, cli) => {
  program
    .command('shadow <context>')
    .description(
      'show what mirrored reads were like, or set their share (the way back: banyan shadow <context> --share 0)',
    )
    .option('--share <percent>', 'the share of reads that are mirrored to the other side and compared')
    .option('--dry-run', 'show the requests to Unleash and send none')
    .option('--json', 'print one JSON object')
    .option('--why <reason>', 'written into the audit')
    .action((context: string, given: Given) =>
      cli.run(given, async (setup, out) => {
        await setup.plan(context)
        const { phase } = await knownContext(setup, context)
        if (given.share === undefined) return await show(setup, out, context)
        const percent = shareOf(given.share)
        if (percent > 0 && !COMPARED.includes(phase)) throw new Refused(waitsFor(context, phase, 'mirror reads'))
        const flag = `${context}-shadow`
        const steps = flagsOf(setup).describe(flag, percent)
        const inverse = `banyan shadow ${context} --share 0`
        if (given.dryRun) return out.result({ context, verb: 'shadow', dryRun: true, steps, inverse }, steps.join('\n'))
        await setShare(setup, { context, verb: 'shadow', flag, percent, who: cli.who, why: given.why ?? null })
        // The flag is set whether or not anybody can be asked what came of it up to now.
        const state = setup.config.OPS_URL ? await readState(setup, context).catch(() => null) : null
        const said = `shadow ${context}: ${flag} is at ${percent} %; proxies follow within a second`
        out.result(
          { context, verb: 'shadow', flag, percent, inverse, state },
          state === null ? said : `${said}\n${textOf(context, state)}`,
        )
      }),
    )
}

async function show(setup: Setup, out: Output, context: string): Promise<void> {
  const state = await readState(setup, context)
  out.result({ context, verb: 'shadow', state }, textOf(context, state))
}

async function readState(setup: Setup, context: string): Promise<ShadowState> {
  return stateIn(await createProxies(setup.config).json('/mirror'), context)
}
