import { fromPg, listInstances } from '@banyan/kit/ownership'
import type { Pool } from 'pg'
import { lastParityRun } from '../control/parity-runs.ts'
import type { Side } from '../control/stored.ts'
import type { Plan } from '../plan/plan.ts'
import type { ParityFacts } from './interlocks.ts'

/** Which builds of both sides announce themselves, and what parity was shown of them. */
export async function parityFacts(control: Pool, plan: Plan, without: unknown): Promise<ParityFacts> {
  const alive = await listInstances(fromPg(control))
  const processOf = (side: Side) => {
    const name = plan.processes[side]
    const builds = alive.filter(({ service }) => service === name).map(({ build }) => build)
    return { name, builds: [...new Set(builds)] }
  }
  const [monolith, service] = [processOf('monolith'), processOf('service')]
  const [left, right] = [monolith.builds[0], service.builds[0]]
  return {
    context: plan.context,
    without: typeof without === 'string' && without.trim() !== '' ? without : null,
    processes: { monolith, service },
    run: left && right ? await lastParityRun(control, plan.context, { monolith: left, service: right }) : null,
    other: await lastParityRun(control, plan.context),
  }
}
