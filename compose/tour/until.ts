/**
 * Repeats a command until it succeeds:  node compose/run.mjs compose/tour/until.ts SECONDS COMMAND [ARGUMENT ...]
 * Prints the output of the last attempt; exit code 1 if none succeeded in time.
 */
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'

const [seconds = '', command = '', ...args] = process.argv.slice(2)
const deadline = Date.now() + Number(seconds) * 1000
for (;;) {
  const done = spawnSync(command, args, { encoding: 'utf8' })
  const late = Date.now() > deadline
  if (done.status === 0 || late) {
    process.stdout.write(done.stdout ?? '')
    process.stderr.write(done.stderr ?? '')
    process.exit(done.status === 0 ? 0 : 1)
  }
  await sleep(200)
}
