import { Command } from 'commander'
import type { Environment } from '../../setup.ts'
import type { AddCommand } from '../cli.ts'
import { createCli } from '../create-cli.ts'

/** Runs a `banyan` command to its end in this very process. */
export async function runHere(
  commands: readonly AddCommand[],
  env: Environment,
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const said = { code: 0, out: '', err: '' }
  const into = (where: 'out' | 'err') => ({
    write(text: string) {
      said[where] += text
    },
  })
  const exit = (code: number) => {
    said.code = code
  }
  const cli = createCli({ env, who: 'test', out: into('out'), err: into('err'), exit })
  const program = new Command()
  for (const add of commands) add(program, cli)
  await program.parseAsync(args, { from: 'user' })
  return said
}
