import { addChange } from './add-change.ts'
import type { AddCommand } from './cli.ts'
import { switchSteps } from './switch-steps.ts'

export const addSwitch: AddCommand = (program, cli) =>
  addChange(program, cli, {
    verb: 'switch',
    summary: 'make the service the owner: writes wait for about a second, none is lost',
    inverse: 'banyan rollback',
    timeout: 120,
    steps: (plan, stored) => switchSteps(plan, stored, 'to-service'),
  })
