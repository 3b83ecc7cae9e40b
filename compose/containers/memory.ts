// What each container of a stage that is up takes, at rest and with shoppers:
//   npm run -s compose:memory -- <stage> [--project banyan] [--seconds 60]
// RATE, SHOP_PORT, OPS_PORT and BANYAN_TAG as for the stage itself. Ends the shoppers; exit code 1 if one of their
// requests failed.
import { execFile } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { means, readStats, type Sample } from './stats.ts'

const ROOT = join(import.meta.dirname, '../..')
const BETWEEN_MS = 3_000
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { project: { type: 'string', default: 'banyan' }, seconds: { type: 'string', default: '60' } },
})
const [stage] = positionals
if (!stage) throw new Error('name a stage, as 7-microservices')

const run = promisify(execFile)
const docker = async (...args: string[]) => (await run('docker', args, { cwd: ROOT })).stdout.trim()
const compose = (...args: string[]) =>
  docker('compose', '-p', values.project, '-f', `compose/${stage}.yaml`, '--profile', 'load', ...args)

/** Means over a time, of all but the shoppers, who are not of the shop. */
async function watch(forMs: number): Promise<Sample[]> {
  const containers = (await compose('ps', '--format', '{{.Name}}'))
    .split('\n')
    .filter((name) => !/-shoppers-/.test(name))
  const samples: Sample[] = []
  for (const end = Date.now() + forMs; Date.now() < end; await sleep(BETWEEN_MS))
    samples.push(...readStats(await docker('stats', '--no-stream', '--format', '{{json .}}', ...containers)))
  return means(samples)
}

const rest = await watch(15_000)
await compose('up', '--no-deps', '--wait', 'shoppers')
const began = performance.now()
const busy = await watch(Number(values.seconds) * 1000)
const passed = (performance.now() - began) / 1000
await compose('stop', 'shoppers')
// Compose may put the control characters of a terminal before a line.
const last = (await compose('logs', '--no-log-prefix', 'shoppers')).match(/\{.*\}/g)?.at(-1) ?? ''
const traffic = JSON.parse(last) as { requests: number; failed: number }

console.log(
  `| container | MiB at rest | MiB with ${(traffic.requests / passed).toFixed(0)} requests a second | % of a processor |`,
)
console.log('| --- | --: | --: | --: |')
const row = (name: string, ...cells: (number | undefined)[]) =>
  console.log(`| ${[name, ...cells.map((cell) => (cell ?? 0).toFixed(0))].join(' | ')} |`)
for (const { container, mib, cpu } of busy) {
  const before = rest.find((one) => one.container === container)
  row(container.replace(`${values.project}-`, '').replace(/-1$/, ''), before?.mib, mib, cpu)
}
const sum = (samples: Sample[], of: 'mib' | 'cpu') => samples.reduce((all, sample) => all + sample[of], 0)
row('in all', sum(rest, 'mib'), sum(busy, 'mib'), sum(busy, 'cpu'))
console.log(`shoppers: ${last}`)
console.log(
  `machine: ${cpus().length} processors, ${(totalmem() / 2 ** 30).toFixed(0)} GiB; ${new Date().toISOString()}`,
)
if (traffic.failed > 0) process.exitCode = 1
