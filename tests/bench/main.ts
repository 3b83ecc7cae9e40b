// npm run bench [-- --json FILE] [-- --only relay,copy]: every figure beside its yardstick, both measured in turn in one
// run, because the machines this runs on are shared and their absolute figures mean little.

import { writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { startServices } from '../support/services.ts'
import type { Row } from './row.ts'

const BENCHES: Record<string, () => Promise<Row[]>> = {
  relay: async () => (await import('./relay.ts')).benchRelay(),
  proxy: async () => (await import('./proxy.ts')).benchProxy(),
  'kill-switch': async () => (await import('./kill-switch.ts')).benchKillSwitch(),
  observing: async () => (await import('./observing.ts')).benchObserving(),
  copy: async () => (await import('./copy.ts')).benchCopy(),
  memory: async () => (await import('./memory.ts')).benchMemory(),
  switches: async () => (await import('./switches.ts')).benchSwitches(),
  orders: async () => (await import('./orders.ts')).benchOrders(),
}

const { values } = parseArgs({
  options: { json: { type: 'string' }, only: { type: 'string' }, help: { type: 'boolean', default: false } },
})
if (values.help) {
  console.log(`npm run bench [-- --json FILE] [--only ${Object.keys(BENCHES).join(',')}]`)
  process.exit(0)
}
const chosen = values.only?.split(',') ?? Object.keys(BENCHES)
const unknown = chosen.filter((name) => !(name in BENCHES))
if (unknown.length > 0) {
  console.error(`bench: "${unknown.join(', ')}" is none of ${Object.keys(BENCHES).join(', ')}`)
  process.exit(2)
}

const services = await startServices(1)
Object.assign(process.env, services?.sets[0])
const rows: Row[] = []
const broken: string[] = []
try {
  for (const name of chosen) {
    console.error(`bench: ${name} …`)
    // What the others measured in the last quarter of an hour is not lost with the one that failed.
    await BENCHES[name]!().then(
      (measured) => rows.push(...measured),
      (error) => {
        console.error(`bench: ${name} failed:`, error)
        broken.push(name)
      },
    )
  }
} finally {
  await services?.stop()
}
const machine = { cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30), node: process.version }
console.log(markdown(rows))
console.log(`\n${machine.cores} cores, ${machine.memoryGiB} GiB, Node ${machine.node}`)
if (values.json) writeFileSync(values.json, `${JSON.stringify({ machine, rows }, null, 2)}\n`)
process.exit(broken.length > 0 || rows.some((row) => row.ok === false) ? 1 : 0)

function markdown(all: readonly Row[]): string {
  const lines = all.map((row) => {
    const verdict = row.ok === null ? '' : row.ok ? 'reached' : 'missed'
    return `| ${row.figure} | ${round(row.value)} ${row.unit} | ${row.yardstick} | ${row.ratio === null ? '' : row.ratio.toFixed(2)} | ${row.target ?? 'reported'} | ${verdict} |`
  })
  return ['| figure | value | beside | ratio | must reach | |', '| --- | --- | --- | --- | --- | --- |', ...lines].join(
    '\n',
  )
}

function round(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)
}
