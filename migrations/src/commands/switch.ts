import { addChange } from './add-change.ts'
import type { AddCommand } from './cli.ts'
import { Refused } from './refused.ts'
import { switchSteps } from './switch-steps.ts'

export const addSwitch: AddCommand = (program, cli) =>
  addChange(program, cli, {
    verb: 'switch',
    summary: 'make the service the owner: writes wait for about a second, none is lost',
    inverse: 'banyan rollback',
    timeout: 120,
    options: [
      ['--without-parity <reason>', 'do without a passing parity run of the builds that run; kept in the audit'],
    ],
    args({ withoutParity }) {
      if (withoutParity === undefined) return {}
      if (String(withoutParity).trim().length < 10) throw new Refused('--without-parity to say why, in a sentence')
      return { withoutParity }
    },
    steps: (plan, stored) => switchSteps(plan, stored, 'to-service'),
  })
