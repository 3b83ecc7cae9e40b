import { connectBroker, deadQueueOf } from '@banyan/kit/broker'
import {
  countDeadLetters,
  type DeadLetter,
  type DeadLetterOptions,
  type DeadLetterProgress,
  discard,
  listDeadLetters,
  replay,
  showDeadLetter,
} from '@banyan/kit/inbox'
import { createLogger } from '@banyan/kit/service'
import type { Command } from 'commander'
import { readAudit, recordAudit } from '../control/audit.ts'
import type { Setup } from '../setup.ts'
import type { AddCommand, Cli } from './cli.ts'
import type { Output } from './output.ts'
import { Refused } from './refused.ts'
import { wholeNumber } from './whole-number.ts'

type Given = { json?: boolean; dryRun?: boolean; type?: string; all?: boolean; why?: string }

/** Events that a context's handler could not take: look at them, send them again, or throw them away. */
export const addDlq: AddCommand = (program, cli) => {
  const dlq = program.command('dlq').description('events that no handler could take')
  dlq
    .command('list <context>')
    .description('the dead letters of a context, oldest first')
    .option('--limit <n>', 'how many, from the oldest', '1000')
    .option('--json', 'print one JSON array')
    .action((context: string, given: { limit: string; json?: boolean }) =>
      cli.run(given, async (setup, out) => {
        const limit = wholeNumber('--limit', given.limit, 1)
        const { place, there } = await openLetters(setup, context)
        const letters = await listDeadLetters({ ...place, limit })
        const more = there - letters.length
        const shown = [...letters.map(describe), ...(more > 0 ? [`and ${more} more: --limit ${there} shows all`] : [])]
        out.result(letters, shown.join('\n') || `no dead letters of ${context}`)
      }),
    )
  dlq
    .command('show <context> <id>')
    .description('one dead letter with its headers and body')
    .option('--json', 'print one JSON object')
    .action((context: string, id: string, given: { json?: boolean }) =>
      cli.run(given, async (setup, out) => {
        const { place } = await openLetters(setup, context)
        const letter = await showDeadLetter({ ...place, id })
        if (!letter) throw new Refused(`a dead letter ${id} of ${context}; there is none`)
        out.result(letter, `${describe(letter)}\n${JSON.stringify(letter.headers, null, 2)}\n${letter.body}`)
      }),
    )
  addTaking(dlq, cli, 'replay', 'put dead letters back into their queue (the inbox knows what it has handled)', replay)
  addTaking(dlq, cli, 'discard', 'delete dead letters for good: there is no way back', discard)
}

type Taking = {
  verb: 'replay' | 'discard'
  context: string
  letters: DeadLetterOptions
  /** How many are looked at, and how many of them are meant. */
  looked: number
  fitting: number
}

function addTaking(
  dlq: Command,
  cli: Cli,
  verb: Taking['verb'],
  summary: string,
  take: (options: DeadLetterOptions) => Promise<number>,
): void {
  dlq
    .command(`${verb} <context> [ids...]`)
    .description(summary)
    .option('--type <type>', 'only events of this type')
    .option('--all', 'all that are there now')
    .option('--dry-run', 'show which, and change nothing')
    .option('--why <reason>', 'written into the audit')
    .option('--json', 'print one JSON object')
    .action((context: string, ids: string[], given: Given) =>
      cli.run(given, async (setup, out) => {
        const filter = filterOf(ids, given)
        const { place } = await openLetters(setup, context)
        const letters = { ...place, filter }
        const { looked, fitting, missing } = await countDeadLetters(letters)
        if (missing.length > 0)
          throw new Refused(
            `${missing.join(', ')} to be among the dead letters of ${context}: banyan dlq list ${context}`,
          )
        if (given.dryRun) {
          const found = await listDeadLetters({ ...letters, limit: looked })
          return out.result({ dryRun: true, verb, letters: found }, found.map(describe).join('\n') || 'none')
        }
        if (given.type && fitting === 0)
          throw new Refused(`${given.type} to be the type of a dead letter of ${context}: banyan dlq list ${context}`)
        // Before anything is taken: what could not be written down is not done.
        await readAudit(setup.control(), context, 1)
        const taking = { verb, context, letters, looked, fitting }
        const taken = await takeThem(out, taking, take, (taken, result) =>
          recordAudit(setup.control(), {
            who: cli.who,
            what: `dlq ${verb}`,
            context,
            new: { taken, filter },
            why: given.why ?? null,
            result,
          }),
        )
        if (taken < fitting)
          throw new Error(
            `dlq ${verb} ${context}: ${taken} of ${fitting}; somebody else takes them, or they come back in a moment: banyan dlq list ${context}`,
          )
        out.result({ context, verb, taken }, `dlq ${verb} ${context}: ${taken}`)
      }),
    )
}

/** Page by page, with what came of it in the audit even where it breaks off: what was taken until then stays taken. */
async function takeThem(
  out: Output,
  { verb, context, letters, looked, fitting }: Taking,
  take: (options: DeadLetterOptions) => Promise<number>,
  note: (taken: number, result: 'done' | 'failed') => Promise<unknown>,
): Promise<number> {
  let taken = 0
  const onPage = (so: DeadLetterProgress) => {
    taken = so.taken
    out.progress(`dlq ${verb} ${context}: ${taken} of ${fitting}`, so.looked / looked)
  }
  try {
    await take({ ...letters, limit: looked, onPage })
  } catch (error) {
    await note(taken, 'failed')
    throw error
  } finally {
    out.endProgress()
  }
  await note(taken, 'done')
  return taken
}

/** @throws Refused where nobody can know which are meant */
function filterOf(ids: string[], { type, all }: Given): { ids?: string[]; type?: string } {
  if (ids.length === 0 && !type && !all) throw new Refused('ids, --type or --all: which dead letters are meant')
  if (ids.length > 0 && all) throw new Refused(`either ids or --all; there are both, ${ids.join(', ')} and --all`)
  return { ...(ids.length > 0 ? { ids } : {}), ...(type ? { type } : {}) }
}

/**
 * Where the dead letters of a context are, and how many there are at the moment.
 * @throws Refused where the broker has no such queue
 */
async function openLetters(setup: Setup, context: string): Promise<{ place: DeadLetterOptions; there: number }> {
  const logger = createLogger({ name: 'banyan', level: 'silent' })
  const broker = connectBroker({ url: setup.amqpUrl(), name: 'banyan dlq', logger })
  setup.onClose(() => broker.close())
  const queue = `banyan.${context}`
  const there = await broker.depth(deadQueueOf(queue)).catch(async (error) => {
    if ((error as { code?: string }).code !== 'NOT_FOUND') throw error
    const known = [...(await setup.plans()).keys()]
    throw new Refused(
      known.includes(context)
        ? `the queue ${deadQueueOf(queue)}, which no process of ${context} has declared yet`
        : `"${context}" is no context; there are: ${known.join(', ') || 'none'}`,
    )
  })
  return { place: { broker, queue }, there }
}

const describe = ({ id, type, reason, attempts, error, deadAt }: DeadLetter) =>
  `${id}  ${type}  ${reason} after ${attempts} attempt(s)  ${deadAt?.toISOString() ?? ''}  ${error}`
