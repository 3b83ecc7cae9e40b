/** `npm run parity -- <context>`: two isolated worlds, compared by `banyan parity`; ends with its exit code. */
import { spawn } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { endWithStarter } from '../embedded/lifeline.ts'
import { ROOT } from '../embedded/stack.ts'
import { startWorlds, type Worlds } from './worlds.ts'

const INCONCLUSIVE = 2
const [context, ...options] = process.argv.slice(2)
let worlds: Worlds | undefined
let sides: string | undefined
endWithStarter(end)

try {
  process.exitCode = await main()
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = INCONCLUSIVE
}
await end()
process.exit()

async function main(): Promise<number> {
  if (!context || context.startsWith('-')) {
    console.error('usage: npm run parity -- <context> [--seed n] [--requests n] [--only name] [--coverage] [--twin]')
    return INCONCLUSIVE
  }
  const folder = join(ROOT, '.banyan', `parity-${context}-${process.pid}`)
  mkdirSync(folder, { recursive: true })
  const twin = options.includes('--twin')
  worlds = await startWorlds({ context, folder, twin, announce: (line) => console.error(line) })
  const { stop: _, ...places } = worlds
  sides = join(folder, 'sides.json')
  writeFileSync(sides, JSON.stringify(places), { mode: 0o600 })
  const report = options.includes('--report') ? [] : ['--report', join(ROOT, '.banyan', `parity-${context}`)]
  const rest = options.filter((option) => option !== '--twin')
  const args = ['parity', context, '--sides', sides, '--rerun', 'npm run parity --', ...report, ...rest]
  const child = spawn(process.execPath, [join(ROOT, 'migrations/src/cli.ts'), ...args], { cwd: ROOT, stdio: 'inherit' })
  return await new Promise((resolve) => child.on('close', (code) => resolve(code ?? INCONCLUSIVE)))
}

/** The keys of the worlds go with them. */
async function end(): Promise<void> {
  if (sides) rmSync(sides, { force: true })
  await worlds?.stop()
}
