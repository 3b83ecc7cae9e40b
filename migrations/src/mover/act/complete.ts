import { failPoint } from '@banyan/kit/service'
import { changeContext } from '../../control/contexts.ts'
import { lastArgs } from '../../control/intents.ts'
import type { Stored } from '../../control/stored.ts'
import { installEngine } from '../../data/install.ts'
import { dropRetired, releaseTables, retireTables } from '../../data/retire.ts'
import type { Runtime } from '../runtime.ts'
import { compareOf } from './switch.ts'

/**
 * The step without a way back. `completing` is stored first, which stops the background; each part may be repeated, so
 * a mover that was killed in between ends it, also where the intent was given up meanwhile. Tables that are retired
 * already are not looked for in their old place.
 */
export async function complete(run: Runtime, stored: Stored): Promise<void> {
  const { control, plan } = run
  if (stored.step !== 'completing') {
    await failPoint('mover.complete.before-begin')
    await changeContext(control, plan.context, compareOf(stored), { step: 'completing' })
    return
  }
  await Promise.all([installEngine(run.sides.monolith), installEngine(run.sides.service)])
  if (await tablesStand(run)) {
    const lane = { ...(await run.lanes.of('to-service')) }
    await releaseTables(lane)
    await failPoint('mover.complete.after-release')
    await retireTables(lane)
  }
  await failPoint('mover.complete.after-retire')
  if ((await lastArgs(control, plan.context, 'complete')).drop === true)
    await dropRetired(
      run.sides.monolith,
      // No lane: it would look for the tables in their old place.
      { context: plan.context, token: stored.token },
      plan.tables.map((table) => ({ name: table.from })),
    )
  await run.broker.remove({ context: plan.context, toSide: 'service' })
  await run.broker.remove({ context: plan.context, toSide: 'monolith' })
  await archiveFlags(run)
  await failPoint('mover.complete.before-completed')
  await changeContext(control, plan.context, compareOf(stored), { phase: 'completed', step: null })
}

async function tablesStand(run: Runtime): Promise<boolean> {
  const { rows } = await run.sides.monolith.query<{ stand: boolean }>(
    `select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = 'public' and c.relname = any($1)) as stand`,
    [run.plan.tables.map((table) => table.from)],
  )
  return rows[0]?.stand === true
}

/** Flags say nothing any more; without Unleash they are left, and the log says so. */
async function archiveFlags(run: Runtime): Promise<void> {
  for (const kind of ['reads', 'shadow', 'writes'])
    await run.flags?.admin
      .archive(`${run.plan.context}-${kind}`)
      .catch((err) => run.logger.warn({ err }, 'a flag could not be archived'))
}
