import { addChange, controlSql } from './add-change.ts'
import type { AddCommand } from './cli.ts'

export const addUnprepare: AddCommand = (program, cli) =>
  addChange(program, cli, {
    verb: 'unprepare',
    summary: "take the capture away on both sides and empty the target's tables, which hold copies",
    inverse: 'banyan prepare, then banyan backfill',
    timeout: 120,
    steps: (plan, stored) => [
      controlSql(stored, { phase: 'idle', step: 'unpreparing', token: stored.token + 1n }),
      '-- every proxy has seen it: no read of a client goes to the service any more',
      ...[...plan.tables].reverse().map((table) => `delete from public.${table.to};  -- ${plan.databases.service}`),
      `-- ${plan.databases.monolith} and ${plan.databases.service}: the triggers of capture and fence are dropped, captured changes deleted`,
      ...plan.crossingKeys.map(
        (key) => `-- ${plan.databases.monolith}: ${key.constraint} of ${key.table} comes back if it was dropped`,
      ),
      '-- RabbitMQ: the queues of both directions are deleted',
      `update banyan.contexts set step = null where context = '${plan.context}';  -- banyan_control`,
    ],
  })
