import { connectBroker } from '@banyan/kit/broker'
import {
  type DeadLetter,
  type DeadLetterOptions,
  discard,
  listDeadLetters,
  replay,
  showDeadLetter,
} from '@banyan/kit/inbox'
import { createLogger } from '@banyan/kit/service'
import type { Command } from 'commander'
import { recordAudit } from '../control/audit.ts'
import type { Setup } from '../setup.ts'
import type { AddCommand, Cli } from './cli.ts'
import { Refused } from './refused.ts'

type Given = { json?: boolean; dryRun?: boolean; type?: string; all?: boolean; why?: string }

/** Events that a context's handler could not take: look at them, send them again, or throw them away. */
export const addDlq: AddCommand = (program, cli) => {
  const dlq = program.command('dlq').description('events that no handler could take')
  dlq
    .command('list <context>')
    .description('the dead letters of a context, oldest first')
    .option('--json', 'print one JSON array')
    .action((context: string, given: Given) =>
      cli.run(given, async (setup, out) => {
        const letters = await listDeadLetters(optionsOf(setup, context))
        out.result(letters, letters.map(describe).join('\n') || `no dead letters of ${context}`)
      }),
    )
  dlq
    .command('show <context> <id>')
    .description('one dead letter with its headers and body')
    .option('--json', 'print one JSON object')
    .action((context: string, id: string, given: Given) =>
      cli.run(given, async (setup, out) => {
        const letter = await showDeadLetter({ ...optionsOf(setup, context), id })
        if (!letter) throw new Refused(`a dead letter ${id} of ${context}; there is none`)
        out.result(letter, `${describe(letter)}\n${JSON.stringify(letter.headers, null, 2)}\n${letter.body}`)
      }),
    )
  addTaking(dlq, cli, 'replay', 'put dead letters back into their queue (the inbox knows what it has handled)', replay)
  addTaking(dlq, cli, 'discard', 'delete dead letters for good: there is no way back', discard)
}

function addTaking(
  dlq: Command,
  cli: Cli,
  verb: 'replay' | 'discard',
  summary: string,
  take: (options: DeadLetterOptions) => Promise<number>,
): void {
  dlq
    .command(`${verb} <context> [ids...]`)
    .description(summary)
    .option('--type <type>', 'only events of this type')
    .option('--all', 'all of them')
    .option('--dry-run', 'show which, and change nothing')
    .option('--why <reason>', 'written into the audit')
    .option('--json', 'print one JSON object')
    .action((context: string, ids: string[], given: Given) =>
      cli.run(given, async (setup, out) => {
        if (ids.length === 0 && !given.type && !given.all)
          throw new Refused('ids, --type or --all: which dead letters are meant')
        const filter = { ...(ids.length > 0 ? { ids } : {}), ...(given.type ? { type: given.type } : {}) }
        const options = { ...optionsOf(setup, context), filter }
        if (given.dryRun) {
          const letters = await listDeadLetters(options)
          return out.result({ dryRun: true, verb, letters }, letters.map(describe).join('\n') || 'none')
        }
        const taken = await take(options)
        await recordAudit(setup.control(), {
          who: cli.who,
          what: `dlq ${verb}`,
          context,
          new: { taken, filter },
          why: given.why ?? null,
          result: 'done',
        })
        out.result({ context, verb, taken }, `dlq ${verb} ${context}: ${taken}`)
      }),
    )
}

function optionsOf(setup: Setup, context: string): DeadLetterOptions {
  const logger = createLogger({ name: 'banyan', level: 'silent' })
  const broker = connectBroker({ url: setup.amqpUrl(), name: 'banyan dlq', logger })
  setup.onClose(() => broker.close())
  return { broker, queue: `banyan.${context}` }
}

const describe = ({ id, type, reason, attempts, error, deadAt }: DeadLetter) =>
  `${id}  ${type}  ${reason} after ${attempts} attempt(s)  ${deadAt?.toISOString() ?? ''}  ${error}`
