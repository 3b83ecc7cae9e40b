/**
 * Breaks the inventory service in fifty ways, one at a time, and runs its parity test against each: at least 48 have to
 * make it fail. `npm run parity:mutations -- [first] [last]` runs a part of the list.
 */
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../embedded/stack.ts'
import { mutant } from './mutant.ts'
import { MUTATIONS } from './mutation-list.ts'

const MUST_FAIL = 0.96
const REQUESTS = '200'
const DIFFERENT = 1

const [first = 1, last = MUTATIONS.length] = process.argv.slice(2).map(Number)
const chosen = MUTATIONS.map((mutation, index) => ({ ...mutation, number: index + 1 })).slice(first - 1, last)
const survived: string[] = []
for (const mutation of chosen) {
  const folder = mutant(mutation, mutation.number)
  const main = join(folder, 'src/main.ts')
  // Most show in the scenarios alone, which are the quicker ones.
  let { code, verdict } = await parity(main, '0')
  if (code !== DIFFERENT) ({ code, verdict } = await parity(main, REQUESTS))
  rmSync(folder, { recursive: true, force: true })
  if (code !== DIFFERENT) survived.push(`${mutation.number} ${mutation.what} (${verdict})`)
  console.log(`${mutation.number} ${code === DIFFERENT ? 'noticed' : 'SURVIVED'}: ${mutation.what}; ${verdict}`)
}
const noticed = chosen.length - survived.length
console.log(`${noticed} of ${chosen.length} noticed${survived.map((line) => `\n  survived: ${line}`).join('')}`)
process.exit(noticed >= Math.ceil(chosen.length * MUST_FAIL) ? 0 : 1)

async function parity(serviceFile: string, requests: string): Promise<{ code: number | null; verdict: string }> {
  const options = ['--service-file', serviceFile, '--requests', requests, '--tries', '0', '--seed', '1']
  const report = join(ROOT, '.banyan', 'parity-mutant')
  const args = [join(ROOT, 'compose/parity/main.ts'), 'inventory', ...options, '--report', report]
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      said += part
    })
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  const verdict = /^(alike|different|inconclusive): .*$/m.exec(said)?.[0] ?? said.trim().split('\n').at(-1) ?? ''
  return { code, verdict: verdict.slice(0, 160) }
}
