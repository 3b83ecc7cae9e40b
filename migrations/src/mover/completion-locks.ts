import { lastSwitchAgoMs } from '../control/attempts.ts'
import type { Intent, Stored } from '../control/stored.ts'
import { lastVerification } from '../control/verifications.ts'
import { dependsOnTables } from '../data/retire.ts'
import type { Runtime } from './runtime.ts'
import type { Interlock } from './seen.ts'

const VERIFIED_WITHIN_MS = 15 * 60_000
const WATCH_READS_MS = 1_500
/** A session that falls idle reports its last reads up to 10 s later; what was read before is no reader of today. */
const LATE_REPORTS_MS = 12_000

/** What stands in the way of the step without a way back: confirmation, quiet time, verification, readers. */
export async function completionLocks(run: Runtime, stored: Stored, intent: Intent): Promise<Interlock[]> {
  const held: string[] = []
  const quietMs = Number(intent.args.quietSeconds ?? 24 * 3600) * 1000
  const [switchedAgoMs, verification] = await Promise.all([
    lastSwitchAgoMs(run.control, stored.context),
    lastVerification(run.control, stored.context),
  ])
  if (intent.args.confirm !== stored.context) held.push(`a confirmation: --confirm ${stored.context}`)
  if (switchedAgoMs === null || switchedAgoMs < quietMs)
    held.push(
      `a quiet time of ${quietMs / 1000} s since the switch; ${Math.round((switchedAgoMs ?? 0) / 1000)} s have passed`,
    )
  if (!verification || verification.voidedBy || verification.different > 0 || verification.agoMs > VERIFIED_WITHIN_MS)
    held.push('a clean verification of the last 15 minutes: banyan verify')
  if (run.blocked.now) held.push(`a blocked change: ${run.blocked.now}`)
  if (held.length === 0) held.push(...(await stillRead(run)))
  if (held.length === 0 && intent.args.drop === true) held.push(...(await stillNeeded(run)))
  return held.map((waitsFor) => ({ waitsFor, passing: false }))
}

/** Without this, a drop that fails would only be noticed when there is no way back any more. */
async function stillNeeded(run: Runtime): Promise<string[]> {
  const needed = await dependsOnTables({ ...(await run.lanes.of('to-service')) })
  return needed === null ? [] : [`nothing to depend on the tables that --drop takes: ${needed.replaceAll('\n', '; ')}`]
}

/** Watches the monolith's old tables for readers: their scan counters must stand still. */
async function stillRead(run: Runtime): Promise<string[]> {
  const tables = run.plan.tables.map((table) => table.from)
  const scans = async () => {
    const { rows } = await run.sides.monolith.query<{ name: string; scans: string }>(
      `select relname as name, coalesce(seq_scan, 0) + coalesce(idx_scan, 0) as scans from pg_stat_user_tables
       where schemaname = 'public' and relname = any($1)`,
      [tables],
    )
    return new Map(rows.map((row) => [row.name, row.scans]))
  }
  run.quiet = true
  try {
    const until = performance.now() + LATE_REPORTS_MS
    await new Promise((resolve) => setTimeout(resolve, WATCH_READS_MS))
    await reportOwnReads(run)
    for (let before = await scans(); ; ) {
      await new Promise((resolve) => setTimeout(resolve, WATCH_READS_MS))
      const after = await scans()
      const read = tables.filter((name) => before.get(name) !== after.get(name))
      if (read.length === 0 || performance.now() > until)
        return read.map((name) => `${run.plan.databases.monolith}.${name} to be left alone: it is still being read`)
      before = after
    }
  } finally {
    run.quiet = false
  }
}

/** The mover's own sessions have just stopped applying changes; without this each would report them up to 10 s later. */
async function reportOwnReads(run: Runtime): Promise<void> {
  const pool = run.sides.monolith
  const idle = await Promise.all(Array.from({ length: pool.idleCount }, () => pool.connect()))
  try {
    await Promise.all(idle.map((session) => session.query('select pg_stat_force_next_flush()')))
  } finally {
    for (const session of idle) session.release()
  }
}
