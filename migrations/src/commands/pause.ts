import { addChange, controlSql } from './add-change.ts'
import type { AddCommand } from './cli.ts'

export const addPause: AddCommand = (program, cli) =>
  addChange(program, cli, {
    verb: 'pause',
    summary: 'let the copy stand still; changes keep following',
    inverse: 'banyan resume',
    steps: (_, stored) => [controlSql(stored, { paused: true })],
  })
