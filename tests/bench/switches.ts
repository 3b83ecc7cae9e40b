import { setTimeout as pause } from 'node:timers/promises'
import { watchSwitch } from '../../compose/tour/switches.ts'
import { askFor, follow, makeReady, move, nextTurn, rowOf } from '../system/support/moves.ts'
import { letShoppersIn } from '../system/support/shoppers.ts'
import { type System, startSystem } from '../system/support/system.ts'
import { median, type Row } from './row.ts'

const TURNS = 20
const RATE = 50
/** The shoppers open gradually over ten seconds. */
const OPENING_MS = 12_000
const BETWEEN_MS = 1_000
const MEDIAN_MS = 1_000
const LONGEST_MS = 3_000
const ASKINGS = 5
const STEPS = ['unlink', 'hold', 'fence', 'marker', 'reconcile', 'sequences', 'commit', 'unfence', 'release']

/**
 * Switches and rollbacks in a row while shoppers buy: the slowest request that each of them held, as the shopper saw
 * it; then where the time went, by the mover's own audit. The ledger has to be exact afterwards.
 */
export async function benchSwitches(): Promise<Row[]> {
  const system = await startSystem('bench-switches')
  try {
    await makeReady(system)
    const shoppers = await letShoppersIn(system, RATE)
    await pause(OPENING_MS)
    const slowest: number[] = []
    let failed = 0
    for (let turn = 0; turn < TURNS; turn += 1) {
      const seen = await oneTurn(system, shoppers.crowd.measure)
      slowest.push(seen.pauseMs)
      failed += seen.failed
      await pause(BETWEEN_MS)
    }
    const phases = await timesPerPhase(system)
    await shoppers.leave()
    return [...rowsOf(slowest, failed), ...phases]
  } finally {
    await system.stop()
  }
}

async function oneTurn(system: System, measure: Parameters<typeof watchSwitch>[1]) {
  if ((await rowOf(system)).owner === 'monolith') await move(system, 'verify')
  const verb = await nextTurn(system)
  const { OPS_URL: url = '', OPS_TOKEN: token = '', CONTROL_DATABASE_URL: control = '' } = system.stack.env
  const end = await watchSwitch(verb === 'switch' ? 'to-service' : 'to-monolith', measure, { url, token, control })
  for (let asking = 1; ; asking += 1) {
    const { state, because } = await follow(system, await askFor(system, verb))
    if (state === 'done') return await end()
    // A refusal changes nothing and names what it waits for, such as the lag of a busy machine.
    if (state !== 'refused' || asking === ASKINGS) throw new Error(`${verb}: ${state}, ${because}`)
  }
}

function rowsOf(slowest: readonly number[], failed: number): Row[] {
  const middle = median(slowest)
  const longest = Math.max(...slowest)
  const common = { unit: 'ms', ratio: null }
  return [
    {
      ...common,
      figure: `slowest held request of ${slowest.length} switches and rollbacks at ${RATE}/s, median`,
      value: middle,
      yardstick: `${failed} requests failed`,
      target: '≤ 1,000 ms',
      ok: middle <= MEDIAN_MS && failed === 0,
    },
    {
      ...common,
      figure: 'the slowest of them all',
      value: longest,
      yardstick: '',
      target: '≤ 3,000 ms',
      ok: longest <= LONGEST_MS,
    },
  ]
}

async function timesPerPhase({ control }: System): Promise<Row[]> {
  const { rows } = await control.query<{ timings: Record<string, number> }>(
    `select new->'timings' as timings from banyan.audit
     where context = 'inventory' and what in ('switch', 'rollback') and result = 'committed'`,
  )
  return STEPS.flatMap((step) => {
    const times = rows.map((row) => row.timings[step]).filter((ms) => ms !== undefined)
    if (times.length === 0) return []
    return [
      {
        figure: `switch, time in ${step}, median`,
        value: median(times),
        unit: 'ms',
        yardstick: `longest ${Math.round(Math.max(...times))} ms`,
        ratio: null,
        target: null,
        ok: null,
      },
    ]
  })
}
