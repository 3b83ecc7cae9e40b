/**
 * A command that must be refused:  node compose/run.mjs compose/tour/refused.ts REASON COMMAND [ARGUMENT ...]
 * Prints what it says. Exit code 0 if it ended with 2, which is how `banyan` refuses, and said REASON; else 1.
 */
import { spawnSync } from 'node:child_process'

const [reason = '', command = '', ...args] = process.argv.slice(2)
const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
const said = `${stdout ?? ''}${stderr ?? ''}`
process.stdout.write(said)
if (status === 2 && said.includes(reason)) process.exit(0)
console.error(`exit code ${status}, expected 2 and "${reason}"`)
process.exit(1)
