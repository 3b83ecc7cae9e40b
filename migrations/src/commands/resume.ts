import { addChange, controlSql } from './add-change.ts'
import type { AddCommand } from './cli.ts'

export const addResume: AddCommand = (program, cli) =>
  addChange(program, cli, {
    verb: 'resume',
    summary: 'let a paused copy go on',
    inverse: 'banyan pause',
    steps: (_, stored) => [controlSql(stored, { paused: false })],
  })
