// Takes contexts all the way to their services, by the commands of the playbook, for who wants to see the end state and
// not the way:  node arrive.mjs [--new] <context ...>, of which the last may depend on all others. Run again, it goes on
// where it ended. With --new for a shop that nobody has ordered from, in a stage that has no mover: it brings its own.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import pg from 'pg'

const { values, positionals: contexts } = parseArgs({ allowPositionals: true, options: { new: { type: 'boolean' } } })
/** Seconds that a context has been at its service before its way back is given up; a shop of your own waits a day. */
const QUIET = values.new ? '0' : '5'

/** What is left to do before a switch, by the phase; in every other one, to verify. */
const TO_THE_SWITCH = { idle: ['prepare', 'backfill', 'verify'], prepared: ['backfill', 'verify'] }

const before = states()
const left = contexts.filter((context) => before[context].phase !== 'completed')
const toMove = left.filter((context) => before[context].owner !== 'service')
if (left.length > 0 && values.new) await refuseASoldShop()
const mover = left.length > 0 && values.new ? start('run') : null
try {
  if (mover) await untilItLeads(left[0])
  // Its tables lose their keys to another context's when that one leaves, and are not prepared before.
  const last = contexts.at(-1)
  await twoAtATime(
    toMove.filter((context) => context !== last),
    move,
  )
  if (toMove.includes(last)) await move(last)
  await twoAtATime(left, (context) => banyan('verify', context))
  // Most of a completion is waiting for readers who are still at the old tables.
  await Promise.all(left.map((context) => banyan('complete', context, '--confirm', context, '--quiet', QUIET)))
} finally {
  mover?.kill('SIGTERM')
}

async function move(context) {
  for (const verb of TO_THE_SWITCH[before[context].phase] ?? ['verify']) await banyan(verb, context)
  await banyan('switch', context, '--without-parity', 'to see the end state')
}

function start(...args) {
  return spawn(process.execPath, ['src/cli.ts', ...args], { stdio: ['ignore', 'inherit', 'inherit'] })
}

async function banyan(...args) {
  console.log(`banyan ${args.join(' ')}`)
  const [status] = await once(start(...args), 'exit')
  if (status !== 0) throw new Error(`banyan ${args[0]} ${args[1]} ended with ${status}`)
}

/** Most of a command's time is the start of its process, of which two processors do two at once. */
async function twoAtATime(all, work) {
  const waiting = [...all]
  const lane = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await work(next)
  }
  await Promise.all([lane(), lane()])
}

/** What is asked for where no mover leads is taken back after a while. */
async function untilItLeads(context) {
  for (const deadline = Date.now() + 60_000; !states()[context].mover; await sleep(200))
    if (Date.now() > deadline || mover.exitCode !== null) throw new Error('the mover does not begin')
}

/** @returns owner, phase and more of each context, by its name */
function states() {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['src/cli.ts', 'status', '--json'])
  if (status !== 0) throw new Error(`banyan status: ${stderr}`)
  return Object.fromEntries(JSON.parse(String(stdout)).map((each) => [each.context, each]))
}

/** Whoever has customers decides when each context moves, and when its way back ends. */
async function refuseASoldShop() {
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL_SHOP })
  await client.connect()
  try {
    // Once orders are completed, their table is no longer there.
    const { rows } = await client.query("select to_regclass('public.orders') is not null as open")
    if (rows[0].open && (await client.query('select from orders limit 1')).rowCount === 0) return
  } finally {
    await client.end()
  }
  console.error(`${left.join(', ')}: not completed, in a shop with orders. Complete them at the stage before this one.`)
  process.exit(1)
}
