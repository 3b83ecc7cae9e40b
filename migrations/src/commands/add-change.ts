import type { Command } from 'commander'
import { changeSql } from '../control/contexts.ts'
import type { Stored, Verb } from '../control/stored.ts'
import { outOfOrder } from '../mover/orders.ts'
import type { Plan } from '../plan/plan.ts'
import type { Setup } from '../setup.ts'
import { ask, knownContext } from './ask.ts'
import type { Cli } from './cli.ts'
import { Refused } from './refused.ts'
import { timeoutOf } from './timeout.ts'

export type Change = {
  verb: Verb
  summary: string
  /** The command that takes it back. */
  inverse: string
  /** What will be done with these arguments, one step a line, SQL as it is sent; shown by `--dry-run`. */
  steps(plan: Plan, stored: Stored, setup: Setup, args: Readonly<Record<string, unknown>>): Promise<string[]> | string[]
  /** Options of this verb alone, and the intent's arguments they make. */
  options?: readonly (readonly [flags: string, description: string, value?: string])[]
  args?(given: Record<string, unknown>): Record<string, unknown>
  /** Seconds to follow it, unless told. */
  timeout?: number
}

/** Adds a command that changes a context: `--dry-run` shows the steps, otherwise an intent is written and followed. */
export function addChange(program: Command, cli: Cli, change: Change): void {
  const command = program
    .command(`${change.verb} <context>`)
    .description(`${change.summary} (the way back: ${change.inverse})`)
    .option('--dry-run', 'show the very steps and change nothing')
    .option('--json', 'print one JSON object')
    .option('--why <reason>', 'written into the audit')
    .option('--no-wait', 'return as soon as it is asked for')
    .option('--timeout <seconds>', 'how long to follow it', String(change.timeout ?? 600))
  for (const [flags, description, value] of change.options ?? []) command.option(flags, description, value)
  command.action((context: string, given: Record<string, unknown>) =>
    cli.run({ json: given.json === true }, async (setup, out) => {
      const args = change.args?.(given) ?? {}
      if (given.dryRun) {
        const plan = await setup.plan(context)
        const stored = await knownContext(setup, context)
        const steps = await change.steps(plan, stored, setup, args)
        const waitsFor = outOfOrder(change.verb, stored)
        const inverse = change.inverse
        out.result(
          { context, verb: change.verb, dryRun: true, steps, inverse, waitsFor },
          [...steps, `-- the way back: ${inverse}`].join('\n'),
        )
        if (waitsFor) throw new Refused(waitsFor)
        return
      }
      const timeout = timeoutOf(given.timeout)
      await ask(setup, out, cli.who, change.verb, context, {
        why: given.why as string | undefined,
        wait: given.wait !== false,
        timeout,
        args,
      })
    }),
  )
}

/** The compare-and-set on the control row, as text with its values in place. */
export function controlSql(stored: Stored, changes: Parameters<typeof changeSql>[2]): string {
  const { text, values } = changeSql(stored.context, { token: stored.token, phase: stored.phase }, changes)
  const literal = (value: unknown) =>
    value === null ? 'null' : typeof value === 'boolean' ? String(value) : `'${value}'`
  return `${text.replace(/\$(\d+)/g, (_, n) => literal(values[Number(n) - 1]))};  -- banyan_control`
}
