import { addChange, controlSql } from './add-change.ts'
import type { AddCommand } from './cli.ts'

export const addBackfill: AddCommand = (program, cli) =>
  addChange(program, cli, {
    verb: 'backfill',
    summary: 'copy every row in chunks, while changes keep following',
    inverse: 'banyan unprepare',
    timeout: 86_400,
    steps: (plan, stored) => [
      controlSql(stored, { phase: 'copying' }),
      ...plan.tables.map(
        ({ from, to }) =>
          `copy (select … from public.${from} where <key> in the chunk) to stdout;  -- ${plan.databases.monolith}, into public.${to} of ${plan.databases.service}, where neither a row nor a tombstone stands`,
      ),
      `update banyan.contexts set phase = 'following' where context = '${plan.context}';  -- banyan_control`,
    ],
  })
