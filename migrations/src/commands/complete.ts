import { dropRetiredSql } from '../data/retire.ts'
import { addChange, controlSql } from './add-change.ts'
import type { AddCommand } from './cli.ts'
import { wholeNumber } from './whole-number.ts'

const DAY = 24 * 3600

export const addComplete: AddCommand = (program, cli) =>
  addChange(program, cli, {
    verb: 'complete',
    summary: "end the move: the monolith's tables go to the schema retired, the way back is taken away",
    inverse: 'none: this is the one step without a way back',
    timeout: 300,
    options: [
      ['--confirm <context>', "the context's name once more: there is no way back"],
      ['--quiet <seconds>', 'how long the context must have been at the service', String(DAY)],
      ['--drop', 'drop the old tables instead of keeping them in the schema retired'],
    ],
    args: (given) => ({
      confirm: given.confirm ?? null,
      quietSeconds: wholeNumber('--quiet', given.quiet, 0),
      drop: given.drop === true,
    }),
    steps: (plan, stored, _, { drop }) => [
      controlSql(stored, { step: 'completing' }),
      `-- ${plan.databases.service}: capture and fence are dropped`,
      ...plan.tables.map(
        (table) =>
          `alter table public.${table.from} set schema retired;  -- ${plan.databases.monolith}, in the transaction that drops its fence`,
      ),
      ...(drop === true
        ? [
            `${dropRetiredSql(plan.tables.map(({ from: name }) => ({ name })))};  -- ${plan.databases.monolith}, for good`,
          ]
        : []),
      '-- RabbitMQ: the queues of both directions are deleted; Unleash: the flags of the context are archived',
      `update banyan.contexts set phase = 'completed', step = null where context = '${plan.context}';  -- banyan_control`,
    ],
  })
