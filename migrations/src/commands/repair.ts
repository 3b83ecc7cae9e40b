import { addChange } from './add-change.ts'
import type { AddCommand } from './cli.ts'

export const addRepair: AddCommand = (program, cli) =>
  addChange(program, cli, {
    verb: 'repair',
    summary: "copy the last verification's differing rows again, then verify",
    inverse: "none: the owner's rows are the truth",
    timeout: 86_400,
    steps: (plan) => [
      `-- each row that "banyan status ${plan.context}" shows as different is written again from the owner's side, by compare-and-set on its version`,
      '-- then: banyan verify',
    ],
  })
