// Takes contexts all the way to their services, by the commands of the playbook, for who wants to see the end state and
// not the way:  node arrive.mjs <context ...>, in an order in which each may go. Run again, it goes on where it ended.
import { spawnSync } from 'node:child_process'

const contexts = process.argv.slice(2)
/** Seconds that a context has been at its service before its way back is given up; a shop of your own waits a day. */
const QUIET = '5'

for (const context of contexts) {
  if (stateOf(context).owner === 'service') continue
  for (const verb of ['prepare', 'backfill', 'verify']) banyan(verb, context)
  banyan('switch', context, '--without-parity', 'to see the end state')
}
for (const context of contexts) {
  if (stateOf(context).phase === 'completed') continue
  banyan('verify', context)
  banyan('complete', context, '--confirm', context, '--quiet', QUIET)
}

function banyan(...args) {
  console.log(`banyan ${args.join(' ')}`)
  const { status } = spawnSync(process.execPath, ['src/cli.ts', ...args], { stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) process.exit(status ?? 1)
}

function stateOf(context) {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['src/cli.ts', 'status', context, '--json'])
  if (status !== 0) throw new Error(`banyan status ${context}: ${stderr}`)
  return JSON.parse(String(stdout))
}
