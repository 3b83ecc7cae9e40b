/**
 * Breaks the inventory service in fifty ways, one at a time, and runs its parity test against each: at least 48 have to
 * make it fail. `npm run parity:mutations -- [first] [last]` runs a part of the list.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { endWithStarter } from '../embedded/lifeline.ts'
import { ROOT } from '../embedded/stack.ts'
import { mutant } from './mutant.ts'
import { MUTATIONS } from './mutation-list.ts'

const MUST_FAIL = 0.96
const REQUESTS = '200'
/** A run that ends without a verdict, as when a server of its worlds did not come up, says nothing of the mutation. */
const RUNS_AT_MOST = 3
const VERDICT = /^(alike|different|inconclusive): .*$/m

let running: ChildProcess | undefined
endWithStarter(async () => void running?.kill())

const [first = 1, last = MUTATIONS.length] = process.argv.slice(2).map(Number)
const chosen = MUTATIONS.map((mutation, index) => ({ ...mutation, number: index + 1 })).slice(first - 1, last)
const survived: string[] = []
for (const mutation of chosen) {
  const folder = mutant(mutation, mutation.number)
  const main = join(folder, 'src/main.ts')
  // Most show in the scenarios alone, which are the quicker ones.
  let verdict = await judged(main, '0')
  if (!noticed(verdict)) verdict = await judged(main, REQUESTS)
  rmSync(folder, { recursive: true, force: true })
  if (!noticed(verdict)) survived.push(`${mutation.number} ${mutation.what} (${verdict})`)
  console.log(`${mutation.number} ${noticed(verdict) ? 'noticed' : 'SURVIVED'}: ${mutation.what}; ${verdict}`)
}
const found = chosen.length - survived.length
console.log(`${found} of ${chosen.length} noticed${survived.map((line) => `\n  survived: ${line}`).join('')}`)
process.exit(found >= Math.ceil(chosen.length * MUST_FAIL) ? 0 : 1)

/** By what the run says: a run that broke down ends with the code of a difference as well. */
function noticed(verdict: string): boolean {
  return verdict.startsWith('different: ')
}

async function judged(serviceFile: string, requests: string): Promise<string> {
  let verdict = ''
  for (let run = 0; run < RUNS_AT_MOST && !VERDICT.test(verdict); run++) verdict = await parity(serviceFile, requests)
  return verdict
}

/** @returns the run's verdict, else the last that it said */
async function parity(serviceFile: string, requests: string): Promise<string> {
  const options = ['--service-file', serviceFile, '--requests', requests, '--tries', '0', '--seed', '1']
  const report = join(ROOT, '.banyan', 'parity-mutant')
  const args = [join(ROOT, 'compose/parity/main.ts'), 'inventory', ...options, '--report', report]
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  running = child
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      said += part
    })
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  const verdict = VERDICT.exec(said)?.[0]
  return (verdict ?? `ended with ${code}: ${said.trim().split('\n').at(-1) ?? ''}`).slice(0, 160)
}
