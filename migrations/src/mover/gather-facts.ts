import { readContexts } from '../control/contexts.ts'
import { preparedFingerprints, readSighting } from '../control/sightings.ts'
import type { Direction, Intent, Phase, Stored } from '../control/stored.ts'
import { readSubscribers, removeLapsed } from '../control/subscribers.ts'
import { lastVerification } from '../control/verifications.ts'
import { checkCapture } from '../data/capture.ts'
import { fingerprint } from '../data/fingerprint.ts'
import type { Lane } from '../data/lane.ts'
import { runningVacuums } from '../data/vacuum.ts'
import type { Facts } from './interlocks.ts'
import { parityFacts } from './running-builds.ts'
import type { Runtime } from './runtime.ts'

/**
 * Looks at everything that a switch or rollback depends on. Whoever has been gone for longer than its grace is struck
 * off first: one that was killed would otherwise keep every attempt from beginning.
 */
export async function gatherFacts(
  run: Runtime,
  stored: Stored,
  direction: Direction,
  { args }: Pick<Intent, 'args'>,
): Promise<Facts> {
  const { control, plan } = run
  const context = plan.context
  await removeLapsed(control, context)
  const [there, back] = await Promise.all([run.lanes.of('to-service'), run.lanes.of('to-monolith')])
  const tables = {
    monolith: there.tables.map((table) => table.source),
    service: back.tables.map((table) => table.source),
  }
  const [verification, parity, sighting, subscribers, drift, captures, vacuums, neighbours] = await Promise.all([
    lastVerification(control, context),
    direction === 'to-service' ? parityFacts(control, plan, args.withoutParity) : null,
    readSighting(control, context),
    readSubscribers(control, context),
    driftOf(run, there, back, stored),
    Promise.all([checkCapture(there), checkCapture(back)]),
    Promise.all([runningVacuums(there.from, tables.monolith), runningVacuums(there.to, tables.service)]),
    neighboursOf(run, (contexts) => readContexts(control, contexts)),
  ])
  return {
    direction,
    verification: verification && {
      clean: verification.different === 0,
      agoMs: verification.agoMs,
      voidedBy: verification.voidedBy,
    },
    parity,
    lagMs: sighting.heartbeatAgoMs,
    appliedAgoMs: appliedAgo(run, direction),
    blocked: run.blocked.now,
    drift,
    capture: captures.flat(),
    lapsed: subscribers.filter((one) => one.leaseMs <= 0).map((one) => `${one.kind} ${one.id}`),
    canaryAgoMs: sighting.canaryAgoMs,
    vacuums: vacuums.flat(),
    ...neighbours,
  }
}

/** Before a switch the lane from the owner is that of the switch itself. */
function appliedAgo(run: Runtime, direction: Direction): number | null {
  const at = run.appliedAt[direction]
  return at === null ? null : performance.now() - at
}

/** What has changed, on either side, since the schema was prepared. */
async function driftOf(run: Runtime, there: Lane, back: Lane, stored: Stored): Promise<string[]> {
  const prepared = await preparedFingerprints(run.control, run.plan.context, stored.move)
  if (!prepared) return ['no fingerprint of this move is stored']
  const sides = [
    { side: 'monolith' as const, lane: there },
    { side: 'service' as const, lane: back },
  ]
  const drift = await Promise.all(
    sides.map(async ({ side, lane }) => {
      const tables = lane.tables.map((table) => table.source)
      return difference(prepared[side].lines, (await fingerprint(lane.from, tables)).lines).map(
        (line) => `${side}: ${line}`,
      )
    }),
  )
  return drift.flat()
}

function difference(was: readonly string[], is: readonly string[]): string[] {
  const gone = was.filter((line) => !is.includes(line)).map((line) => `gone: ${line}`)
  return is
    .filter((line) => !was.includes(line))
    .map((line) => `new: ${line}`)
    .concat(gone)
}

/** @param read reads the rows of the contexts named: this one, those it depends on and those that depend on it */
export async function neighboursOf(
  { plan, plans }: Pick<Runtime, 'plan' | 'plans'>,
  read: (contexts: readonly string[]) => Promise<Stored[]>,
): Promise<Pick<Facts, 'dependsOn' | 'dependents'>> {
  const dependents = [...plans.values()].filter((one) => one.dependsOn.includes(plan.context)).map((one) => one.context)
  const rows = await read([plan.context, ...plan.dependsOn, ...dependents])
  const phases = new Map(rows.map((one) => [one.context, one.phase]))
  const phaseOf = (context: string) => ({ context, phase: phases.get(context) ?? ('idle' as Phase) })
  return { dependsOn: plan.dependsOn.map(phaseOf), dependents: dependents.map(phaseOf) }
}
