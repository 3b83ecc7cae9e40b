import { setTimeout as sleep } from 'node:timers/promises'
import { recordAudit } from '../control/audit.ts'
import { readContext } from '../control/contexts.ts'
import { askAbort, cancelIntent, intentState, openIntent } from '../control/intents.ts'
import type { Verb } from '../control/stored.ts'
import { knownContext } from './ask.ts'
import type { AddCommand } from './cli.ts'
import { Refused } from './refused.ts'
import { timeoutOf } from './timeout.ts'

/** What can be called off; the rest ends by itself, or by its own way back. */
const TURNS: readonly Verb[] = ['switch', 'rollback']

export const addAbort: AddCommand = (program, cli) => {
  program
    .command('abort <context>')
    .description('call off a switch or rollback before its point of no return (the way back: ask for it again)')
    .option('--dry-run', 'show the steps and change nothing')
    .option('--json', 'print one JSON object')
    .option('--why <reason>', 'written into the audit', 'called off')
    .option('--timeout <seconds>', 'how long to follow it', '60')
    .action((context: string, given: { dryRun?: boolean; json?: boolean; why: string; timeout: string }) =>
      cli.run(given, async (setup, out) => {
        const timeout = timeoutOf(given.timeout)
        const control = setup.control()
        const stored = await knownContext(setup, context)
        const steps = [
          `update banyan.intents set args = args || '{"abort": …}' where context = '${context}' and state = 'running';  -- banyan_control`,
          `update banyan.contexts set phase = 'aborting', token = token + 1 where context = '${context}' and phase = 'switching';  -- the mover`,
          '-- the target stores the new token and is seen closed; the source is opened again; held requests are released to it',
        ]
        const none = `abort needs a switch or rollback of ${context} under way; it is ${stored.phase}`
        if (given.dryRun) {
          const open = await openIntent(control, context)
          const waitsFor = open && TURNS.includes(open.verb) ? null : none
          out.result({ context, verb: 'abort', dryRun: true, steps, phase: stored.phase, waitsFor }, steps.join('\n'))
          if (waitsFor) throw new Refused(waitsFor)
          return
        }
        if (await cancelIntent(control, context, cli.who, TURNS)) {
          await recordAudit(control, { who: cli.who, what: 'abort', context, why: given.why, result: 'cancelled' })
          return out.result({ context, verb: 'abort', state: 'done' }, `abort ${context}: taken back before it began`)
        }
        const id = await askAbort(control, context, `${given.why} (${cli.who})`)
        if (id === null) throw new Refused(none)
        const until = performance.now() + timeout * 1000
        let settled = await intentState(control, id)
        while (settled.state === 'running' && performance.now() < until) {
          await sleep(50)
          settled = await intentState(control, id)
        }
        if (settled.state === 'running')
          throw new Error(`abort ${context}: not ended after ${timeout} s; banyan status ${context}`)
        if (settled.state === 'done')
          throw new Refused(`abort of ${context} came after the point of no return: ${settled.result?.because}`)
        const now = await readContext(control, context)
        out.result(
          { context, verb: 'abort', state: 'done', phase: now?.phase },
          `abort ${context}: done; it is ${now?.phase}, the ${now?.owner} writes on`,
        )
      }),
    )
}
