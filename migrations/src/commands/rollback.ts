import { addChange } from './add-change.ts'
import type { AddCommand } from './cli.ts'
import { switchSteps } from './switch-steps.ts'

export const addRollback: AddCommand = (program, cli) =>
  addChange(program, cli, {
    verb: 'rollback',
    summary: 'make the monolith the owner again, with every write made since',
    inverse: 'banyan switch',
    timeout: 120,
    steps: (plan, stored) => switchSteps(plan, stored, 'to-monolith'),
  })
