import { addChange } from './add-change.ts'
import type { AddCommand } from './cli.ts'

export const addVerify: AddCommand = (program, cli) =>
  addChange(program, cli, {
    verb: 'verify',
    summary: 'compare every row of both sides; a clean result makes the context ready',
    inverse: 'none needed: it reads',
    timeout: 86_400,
    steps: (plan) => [
      ...plan.tables.map(
        ({ from, to }) =>
          `-- hash of public.${from} (${plan.databases.monolith}) and public.${to} (${plan.databases.service}), range by range; a differing range row by row, and again after a marker`,
      ),
      "update banyan.contexts set phase = 'ready' where every row agrees;  -- banyan_control",
    ],
  })
