import { isFinal, type SagaState, type SagaStatus, timeline, toMermaid } from '@banyan/kit/saga'
import type { Command } from 'commander'
import type { AddCommand, Cli } from './cli.ts'
import { findSaga, findSketch, openSagas } from './read-sagas.ts'
import { Refused } from './refused.ts'
import { addSagaRetry } from './saga-retry.ts'
import { wholeNumber } from './whole-number.ts'

const STATUSES: readonly string[] = [
  'RUNNING',
  'COMPENSATING',
  'COMPLETED',
  'COMPENSATED',
  'NEEDS_ATTENTION',
] satisfies SagaStatus[]

/** The sagas of a context, wherever it lives by now: look at them, draw them, put a stuck one back to work. */
export const addSaga: AddCommand = (program, cli) => {
  const saga = program.command('saga').description("a context's sagas, at the side that owns it")
  addList(saga, cli)
  addShow(saga, cli)
  addDiagram(saga, cli)
  addSagaRetry(saga, cli)
}

function addList(saga: Command, cli: Cli): void {
  saga
    .command('list <context>')
    .description('the sagas that changed last, newest first')
    .option('--status <status>', `only those that are ${STATUSES.join(' | ')}`)
    .option('--saga <name>', 'only those of this kind')
    .option('--limit <n>', 'how many', '20')
    .option('--json', 'print one JSON array')
    .action((context: string, given: { status?: string; saga?: string; limit: string; json?: boolean }) =>
      cli.run(given, async (setup, out) => {
        const { status } = given
        if (status !== undefined && !STATUSES.includes(status))
          throw new Refused(`--status to be one of ${STATUSES.join(', ')}; it is "${status}"`)
        const limit = wholeNumber('--limit', given.limit, 1)
        const filter = {
          limit,
          ...(status === undefined ? {} : { status: status as SagaStatus }),
          ...(given.saga === undefined ? {} : { saga: given.saga }),
        }
        const found = await Promise.all((await openSagas(setup, context)).map(({ store }) => store.list(filter)))
        const sagas = found
          .flat()
          .sort((a, b) => lastOf(b).at - lastOf(a).at)
          .slice(0, limit)
        out.result(sagas.map(told), sagas.map(line).join('\n') || `no such saga of ${context}`)
      }),
    )
}

function addShow(saga: Command, cli: Cli): void {
  saga
    .command('show <context> <id>')
    .description('one saga: where each of its steps stands, and what happened when')
    .option('--json', 'print one JSON object')
    .action((context: string, id: string, given: { json?: boolean }) =>
      cli.run(given, async (setup, out) => {
        const { saga: found } = await findSaga(await openSagas(setup, context), id)
        const steps = found.steps.map(
          ({ name, status, attempts, undoAttempts }) =>
            `  ${name}: ${status}${attempts > 1 ? `, ${attempts} attempts` : ''}${undoAttempts > 0 ? `, undone in ${undoAttempts}` : ''}`,
        )
        out.result(told(found), [line(found), ...steps, ...timeline(found)].join('\n'))
      }),
    )
}

function addDiagram(saga: Command, cli: Cli): void {
  saga
    .command('diagram <context> <saga>')
    .description('a saga as a Mermaid diagram: its steps forward, its compensations back')
    .option('--json', 'print its steps as one JSON object')
    .action((context: string, name: string, given: { json?: boolean }) =>
      cli.run(given, async (setup, out) => {
        const sketch = await findSketch(await openSagas(setup, context), name)
        out.result(sketch, toMermaid(sketch).trimEnd())
      }),
    )
}

const lastOf = ({ history }: SagaState) => history.at(-1)!

const line = (saga: SagaState): string => {
  const { id, saga: name, status, reason, nextAt } = saga
  const { at, step, what, note } = lastOf(saga)
  return [
    id,
    name,
    status,
    `${new Date(at).toISOString()} ${[step, what].filter(Boolean).join(' ')}`,
    reason ? `because of ${reason.code}` : '',
    !isFinal(status) && note ? note : '',
    !isFinal(status) ? `next at ${new Date(nextAt).toISOString()}` : '',
  ]
    .filter(Boolean)
    .join('  ')
}

/** A saga as data. What it remembers between its steps stays where it is: there may be secrets in it. */
const told = ({ data: _data, nextAt, deadlineAt, ...saga }: SagaState) => ({
  ...saga,
  nextAt: new Date(nextAt).toISOString(),
  deadlineAt: new Date(deadlineAt).toISOString(),
})
