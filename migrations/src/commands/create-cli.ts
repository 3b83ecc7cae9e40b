import { type Environment, openSetup } from '../setup.ts'
import type { Cli } from './cli.ts'
import { explain } from './explain.ts'
import { createOutput } from './output.ts'

type Stream = Parameters<typeof createOutput>[0]['out']

/** What commands run in: a setup opened and closed around each, and an exit code for what came of it. */
export function createCli(options: {
  env: Environment
  who: string
  out: Stream
  err: Stream
  exit(code: number): void
}): Cli {
  return {
    who: options.who,
    controlUrl: options.env.CONTROL_DATABASE_URL,
    async run({ json }, work) {
      const out = createOutput({ json: json === true, out: options.out, err: options.err })
      let setup: ReturnType<typeof openSetup> | undefined
      try {
        setup = openSetup(options.env)
        await work(setup, out)
      } catch (error) {
        const { exitCode, text, value } = explain(error)
        // One document, or no parser takes it: a dry run has said with its steps what it waits for.
        if (out.json && !out.hasResult()) out.result(value, text)
        else options.err.write(`${text}\n`)
        options.exit(exitCode)
      } finally {
        await setup?.close()
      }
    },
  }
}
