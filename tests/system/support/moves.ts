/** Asks for a step of the move as the console does, by an intent in the control database, and follows it. */
import type { Side, System } from './system.ts'
import { until } from './wait.ts'

export type Row = {
  phase: string
  step: string | null
  owner: Side
  hold: boolean
  term: number
  token: number
  direction: string | null
}

export type Settled = { state: 'done' | 'failed' | 'refused' | 'cancelled'; because: string }

/** The stored row of the context. */
export async function rowOf({ control, context }: Pick<System, 'control' | 'context'>): Promise<Row> {
  const { rows } = await control.query(
    'select phase, step, owner, hold, term::int, token::int, direction from banyan.contexts where context = $1',
    [context],
  )
  return rows[0]
}

const WITHOUT_PARITY = { withoutParity: 'moves and faults are looked at here; parity has tests of its own' }

/** @returns the intent's number @throws while another intent is open */
export async function askFor({ control, context }: System, verb: string, args: object = {}): Promise<string> {
  const { rows } = await control.query(
    `insert into banyan.intents (context, verb, args, source, who) values ($3, $1, $2, 'cli', 'test')
     returning id`,
    [verb, verb === 'switch' ? { ...WITHOUT_PARITY, ...args } : args, context],
  )
  await control.query("select pg_notify('banyan_intents', $1)", [context])
  return rows[0].id
}

/** The one that is not yet ended, if any. */
async function openIntent({ control, context }: System): Promise<string | undefined> {
  const { rows } = await control.query(
    "select id from banyan.intents where state in ('pending', 'running') and context = $1",
    [context],
  )
  return rows[0]?.id
}

/** How an intent has ended, or nothing while it is open. */
export async function endOf({ control }: System, id: string): Promise<Settled | undefined> {
  const { rows } = await control.query(
    `select state, coalesce(result->>'because', waits_for) as because from banyan.intents where id = $1
     and state not in ('pending', 'running')`,
    [id],
  )
  return rows[0]
}

/** Follows an intent to its end, and the row to its rest. */
export async function follow(system: System, id: string, withinMs = 60_000): Promise<Settled> {
  const settled = await until(
    `intent ${id} to end`,
    withinMs,
    () => endOf(system, id),
    () => stateOf(system),
  )
  await until('the row to be at rest', 15_000, async () => (await rowOf(system)).step === null)
  return settled
}

/** Asks and follows; @throws unless it is done. */
export async function move(system: System, verb: string, args: object = {}, withinMs = 60_000): Promise<void> {
  const settled = await follow(system, await askFor(system, verb, args), withinMs)
  if (settled.state !== 'done') throw new Error(`${verb}: ${settled.state}, ${settled.because}`)
}

/** The step that changes the owner next; a switch wants a clean verification first. */
export async function nextTurn(system: System): Promise<'switch' | 'rollback'> {
  return (await rowOf(system)).owner === 'monolith' ? 'switch' : 'rollback'
}

/** From wherever it stands to `ready` with a fresh verification, or `switched`: what a switch or rollback wants. */
export async function makeReady(system: System): Promise<void> {
  if ((await rowOf(system)).phase === 'idle') await move(system, 'prepare')
  const { phase, owner } = await rowOf(system)
  if (phase === 'prepared') await move(system, 'backfill')
  if (owner === 'monolith') await move(system, 'verify')
}

/** Asks as often as it takes: after an outage the lag, or a lease, needs a moment. */
export async function turn(system: System): Promise<void> {
  await makeReady(system)
  const verb = await nextTurn(system)
  await until(
    `the ${verb}`,
    120_000,
    async () => (await follow(system, await askFor(system, verb))).state === 'done',
    () => stateOf(system),
  )
}

/** For whoever wonders why something did not end: the row, the open intent, who has not drained, the last audit. */
export async function stateOf(system: System): Promise<unknown> {
  const { control, context } = system
  const [row, intents, subscribers, audit] = await Promise.all([
    rowOf(system),
    control.query('select id, verb, state, waits_for, result from banyan.intents order by id desc limit 2'),
    control.query(
      `select id, kind, epoch_seen::int, drained, round(extract(epoch from lease_until - clock_timestamp()) * 1000) as lease
       from banyan.subscribers where context = $1`,
      [context],
    ),
    control.query(`select what, why, result from banyan.audit order by id desc limit 5`),
  ])
  return { row, intents: intents.rows, subscribers: subscribers.rows, audit: audit.rows }
}

/**
 * Asks for the verb, again as often as it ends without having come that far, and waits until `there` is true of the row.
 * @returns the intent's number
 */
export async function askUntil(system: System, verb: string, there: (row: Row) => boolean): Promise<string> {
  let id = await askFor(system, verb)
  await until(
    `the ${verb} to come that far`,
    120_000,
    async () => {
      if (there(await rowOf(system))) return true
      if (await endOf(system, id)) id = await askFor(system, verb)
      return false
    },
    () => stateOf(system),
  )
  return id
}

const SERVERS = ['postgres', 'rabbitmq', 'unleash', 'mover']

/** After a failed test: servers and a mover that run, no open intent, a row at rest; so that the next test starts from there. */
export async function recover(system: System): Promise<void> {
  for (const name of SERVERS) if (!system.stack.process(name).isRunning()) await system.stack.restart(name)
  const open = await openIntent(system)
  if (open) await follow(system, open, 120_000)
}
