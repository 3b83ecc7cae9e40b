import { failPoint } from '@banyan/kit/service'
import { changeContext } from '../../control/contexts.ts'
import type { Intent, Stored } from '../../control/stored.ts'
import { lastVerification, recordVerification, voidVerifications } from '../../control/verifications.ts'
import { type Lane, tableId } from '../../data/lane.ts'
import { repairRow } from '../../data/repair.ts'
import { type Difference, verifyTable } from '../../data/verify.ts'
import { laneFromOwner } from '../lanes.ts'
import type { Runtime } from '../runtime.ts'
import { compareOf } from './switch.ts'

const MOST_SHOWN = 1_000

/** Compares every table, from the owner's side to the other, and writes down what was found for this intent. */
export async function verify(run: Runtime, stored: Stored, intent: Intent): Promise<void> {
  const lane = { ...(await laneFromOwner(run.lanes, stored)) }
  const began = performance.now()
  const differences: (Difference | { tbl: string; key: string; kind: 'unsettled' })[] = []
  let rows = 0
  await failPoint('mover.verify.before')
  for (const table of lane.tables) {
    const found = await verifyTable(lane, table)
    rows += found.rows
    differences.push(...found.differences)
    differences.push(...found.unsettled.map((key) => ({ tbl: found.tbl, key, kind: 'unsettled' as const })))
  }
  await recordVerification(run.control, stored.context, {
    move: stored.move,
    intent: intent.id,
    rows,
    different: differences.length,
    differences: differences.slice(0, MOST_SHOWN),
    seconds: (performance.now() - began) / 1000,
  })
  await failPoint('mover.verify.after')
}

/** Brings the differing rows of the last verification in line with the owner's, then verifies again. */
export async function repair(run: Runtime, stored: Stored, intent: Intent): Promise<void> {
  const lane = { ...(await laneFromOwner(run.lanes, stored)) }
  const last = await lastVerification(run.control, stored.context)
  await voidVerifications(run.control, stored.context, 'rows were repaired')
  await failPoint('mover.repair.before')
  for (const { tbl, key } of (last?.differences ?? []) as Difference[]) await repairRow(lane, tableOf(lane, tbl), key)
  await verify(run, stored, intent)
}

/** A verification decides between `following` and `ready`; both ways. */
export async function grade(run: Runtime, stored: Stored, phase: 'following' | 'ready'): Promise<void> {
  await failPoint('mover.verify.before-grade')
  await changeContext(run.control, stored.context, compareOf(stored), { phase })
  await failPoint('mover.verify.after-grade')
}

function tableOf(lane: Lane, name: string): Lane['tables'][number] {
  const table = lane.tables.find((one) => tableId(one.source) === name || tableId(one.target) === name)
  if (!table) throw new Error(`${name} is not among the tables of ${lane.context}`)
  return table
}
