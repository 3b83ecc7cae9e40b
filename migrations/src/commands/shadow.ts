import { addShare } from './add-share.ts'
import type { AddCommand } from './cli.ts'

export const addShadow: AddCommand = (program, cli) =>
  addShare(program, cli, {
    verb: 'shadow',
    flag: 'shadow',
    summary: 'set the share of reads that are mirrored and compared',
  })
