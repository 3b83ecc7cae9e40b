import { abortsOf, attemptUnderWay } from '../control/attempts.ts'
import { readContext } from '../control/contexts.ts'
import { openIntent } from '../control/intents.ts'
import { readSighting } from '../control/sightings.ts'
import type { Intent, Stored } from '../control/stored.ts'
import { readSubscribers, removeLapsed, type Subscriber } from '../control/subscribers.ts'
import { lastVerification } from '../control/verifications.ts'
import { copyProgress } from '../data/copy-progress.ts'
import { readFence } from '../data/fence.ts'
import { markerApplied } from '../data/marker.ts'
import { sessionsAtWork } from '../data/source-load.ts'
import { declaredQueue, examine } from '../plan/doctor.ts'
import { describeFinding } from '../plan/finding.ts'
import { completionLocks } from './completion-locks.ts'
import { copyBrake } from './copy-brake.ts'
import { gatherFacts } from './gather-facts.ts'
import { interlocks } from './interlocks.ts'
import { keysToRestore } from './keys-to-restore.ts'
import type { Runtime } from './runtime.ts'
import { type Interlock, NOTHING_SEEN, type Seen } from './seen.ts'

export type Sight = { stored: Stored; seen: Seen; intent: Intent | null; marker: bigint | null }

/**
 * Reads the stored row first and then looks only at what the next decision in that state can depend on: a switch must
 * not wait for the doctor.
 */
export async function observe(run: Runtime): Promise<Sight> {
  const { control, plan } = run
  const [stored, intent, attempt] = await Promise.all([
    readContext(control, plan.context),
    openIntent(control, plan.context),
    attemptUnderWay(control, plan.context),
  ])
  if (!stored) throw new Error(`${plan.context} is not in the control database: run "banyan init"`)
  const base: Seen = {
    ...NOTHING_SEEN,
    mine: run.lanes.adopted() === stored.token,
    attempt: { ageMs: attempt?.ageMs ?? 0, budgetMs: run.budgetMs, trouble: attempt?.trouble ?? null },
    abortAsked: typeof intent?.args.abort === 'string' ? intent.args.abort : null,
    waitedMs: Math.min(intent?.ageMs ?? 0, performance.now() - run.since),
    blocked: run.blocked.now,
  }
  const marker = attempt?.marker ?? null
  const seen = base.mine || stored.phase === 'idle' ? { ...base, ...(await look(run, stored, intent, marker)) } : base
  return { stored, seen, intent, marker }
}

async function look(
  run: Runtime,
  stored: Stored,
  intent: Intent | null,
  marker: bigint | null,
): Promise<Partial<Seen>> {
  if (stored.phase === 'switching') return lookAtSwitch(run, stored, marker)
  if (stored.step === 'unpreparing') return { unaware: await unawareProxies(run, stored) }
  if (stored.phase === 'aborting' || stored.phase === 'completed' || stored.step !== null) return {}
  if (stored.phase === 'idle') return intent?.verb === 'prepare' ? { doctor: await doctor(run) } : {}
  const [aborts, ended, foreignKeysToRestore, copy, locks, fence] = await Promise.all([
    intent ? abortsOf(run.control, intent.id) : NOTHING_SEEN.aborts,
    intent ? endOf(run, intent) : null,
    stored.owner === 'monolith' ? keysToRestore(run) : 0,
    stored.phase === 'copying' ? progress(run) : NOTHING_SEEN.copy,
    intent ? locksOf(run, stored, intent) : [],
    readFence(run.sides[stored.owner], stored.context),
  ])
  return { aborts, ended, foreignKeysToRestore, copy, interlocks: locks, ownerClosed: fence?.closed === true }
}

async function lookAtSwitch(run: Runtime, stored: Stored, marker: bigint | null): Promise<Partial<Seen>> {
  if (stored.step === 'hold') {
    const undrained = (await subscribersOf(run)).filter((one) => !one.drained || one.epochSeen < stored.epoch)
    return { undrained: undrained.map(named) }
  }
  if (stored.step === 'marker' && marker !== null && stored.direction !== null)
    return { markerApplied: await markerApplied(await run.lanes.of(stored.direction), marker) }
  return {}
}

async function unawareProxies(run: Runtime, stored: Stored): Promise<string[]> {
  const unaware = (await subscribersOf(run)).filter((one) => one.kind === 'proxy' && one.epochSeen < stored.epoch)
  return unaware.map(named)
}

/** Those that are waited for: who is gone for good is struck off before. */
async function subscribersOf({ control, plan }: Runtime): Promise<Subscriber[]> {
  await removeLapsed(control, plan.context)
  return readSubscribers(control, plan.context)
}

const named = ({ kind, id }: Subscriber) => `${kind} ${id}`

async function doctor(run: Runtime): Promise<string[]> {
  const findings = await examine(run.plan, run.sides, run.broker, { empty: true })
  const ill = findings.filter((finding) => !finding.ok)
  // Prepare declares what it needs; a refusal leaves nothing behind.
  if (ill.length > 0 && declaredQueue(findings))
    await run.broker.remove({ context: run.plan.context, toSide: 'service' })
  return ill.map((finding) => describeFinding(run.plan, finding))
}

async function progress(run: Runtime): Promise<Seen['copy']> {
  const lane = await run.lanes.of('to-service')
  const [tables, atWork, sighting] = await Promise.all([
    copyProgress(lane),
    sessionsAtWork(lane.from),
    readSighting(run.control, run.plan.context),
  ])
  const finished = tables.length === lane.tables.length && tables.every((table) => table.done)
  const waitsFor = finished ? null : copyBrake({ lagMs: sighting.heartbeatAgoMs, atWork }, run.copyLimits)
  run.copyWaitsFor.now = waitsFor
  return { finished, waitsFor }
}

/** The interlocks matter when a switch is asked for and again before each attempt; not while nothing is asked. */
async function locksOf(run: Runtime, stored: Stored, intent: Intent): Promise<readonly Interlock[]> {
  if (intent.verb === 'switch' && stored.phase === 'ready')
    return interlocks(await gatherFacts(run, stored, 'to-service', intent))
  if (stored.phase !== 'switched') return []
  if (intent.verb === 'rollback') return interlocks(await gatherFacts(run, stored, 'to-monolith', intent))
  return intent.verb === 'complete' ? completionLocks(run, stored, intent) : []
}

async function endOf(run: Runtime, intent: Intent): Promise<Seen['ended']> {
  if (intent.verb !== 'verify' && intent.verb !== 'repair') return null
  const last = await lastVerification(run.control, run.plan.context)
  if (!last || last.intent !== intent.id) return null
  return {
    clean: last.different === 0,
    summary: `${last.rows} rows compared, ${last.different} different`,
  }
}
