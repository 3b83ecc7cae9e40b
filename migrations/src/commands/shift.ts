import { addShare } from './add-share.ts'
import type { AddCommand } from './cli.ts'

export const addShift: AddCommand = (program, cli) =>
  addShare(program, cli, {
    verb: 'shift',
    flag: 'reads',
    summary: 'set the share of reads that the other side answers',
  })
