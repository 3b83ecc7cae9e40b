import type { Command } from 'commander'
import type { Setup } from '../setup.ts'
import type { Output } from './output.ts'

/** What every command gets: connections at first use, and where to say things. */
export type Cli = {
  /** Runs the work with a setup and an output made for this command line, and turns what happens into an exit code. */
  run(options: { json?: boolean | undefined }, work: (setup: Setup, out: Output) => Promise<void>): Promise<void>
  /** Who asks, for intents and audit. */
  who: string
  /** The control database, for a command that only sometimes needs it and no setup. */
  controlUrl: string | undefined
}

export type AddCommand = (program: Command, cli: Cli) => void
