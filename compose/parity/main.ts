/** `npm run parity -- <context>`: two isolated worlds, compared by `banyan parity`; ends with its exit code. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { endWithStarter } from '../embedded/lifeline.ts'
import { ROOT } from '../embedded/stack.ts'
import { HELP, readOptions, rerunOf } from './options.ts'
import { startWorlds, type Worlds } from './worlds.ts'

const [DIFFERENT, INCONCLUSIVE] = [1, 2]
/** What `banyan parity --report` writes, in this order. */
const REPORTS = ['report.html', 'report.json', 'junit.xml']
let starting: Promise<Worlds> | undefined
let comparing: ChildProcess | undefined
let folder: string | undefined
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
  const { own, passed, context } = readOptions(process.argv.slice(2))
  if (own.help) {
    console.log(HELP)
    return 0
  }
  const { twin, 'service-file': serviceFile, clock: instant, logs } = own
  const clock = instant === undefined ? undefined : clockOf(instant)
  const reports = resolve(ROOT, own.report ?? join('.banyan', `parity-${context}`))
  // Whatever becomes of the worlds, what an earlier run proved is not what this one does.
  for (const name of REPORTS) rmSync(join(reports, name), { force: true })
  // The environment of a running stack names its broker, by an account that may make no virtual hosts there.
  if (!process.env.RABBITMQ_API) delete process.env.AMQP_URL
  folder = join(ROOT, '.banyan', `parity-${context}-${process.pid}`)
  mkdirSync(folder, { recursive: true })
  starting = startWorlds({ context, folder, twin, serviceFile, clock, logs, announce: (line) => console.error(line) })
  const { stop: _, ...places } = await starting
  const sides = join(folder, 'sides.json')
  writeFileSync(sides, JSON.stringify(places), { mode: 0o600 })
  const args = ['parity', context, '--sides', sides, '--rerun', rerunOf(own), ...passed, '--report', reports]
  // Through run.mjs, by which it learns of the running stack: --record writes into its control database.
  const command = [join(ROOT, 'compose/run.mjs'), 'migrations/src/cli.ts', ...args]
  const child = spawn(process.execPath, command, { cwd: ROOT, stdio: 'inherit' })
  comparing = child
  const code = await new Promise<number | null>((ended) => child.on('close', ended))
  // A process that breaks down ends with 1 as well, but it leaves no report.
  if (code === 0 || (code === DIFFERENT && existsSync(join(reports, REPORTS.at(-1)!)))) return code
  return INCONCLUSIVE
}

/** @throws Error for anything but an instant: a time without a zone would be another one on each machine */
function clockOf(instant: string): Date {
  const clock = new Date(instant)
  if (!/^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(instant) || Number.isNaN(clock.getTime()))
    throw new Error(`--clock wants an instant such as 2027-12-31T23:59:30Z, not "${instant}"`)
  return clock
}

/** The worlds' keys and logs go with them; the logs stay where they may say why nothing was proven. */
async function end(): Promise<void> {
  comparing?.kill()
  // Half a world cannot be taken down: it is finished first, or takes itself down.
  const worlds = await starting?.catch(() => undefined)
  await worlds?.stop()
  if (!folder) return
  rmSync(join(folder, 'sides.json'), { force: true })
  if (process.exitCode !== INCONCLUSIVE) rmSync(folder, { recursive: true, force: true })
}
