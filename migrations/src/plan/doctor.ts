import type { ChangesBroker } from '../data/lane.ts'
import { ask } from '../data/open-db.ts'
import { checkCrossingKeys } from './check-crossing-keys.ts'
import { checkMappings } from './check-mappings.ts'
import { checkSequences } from './check-sequences.ts'
import { checkServers } from './check-servers.ts'
import { checkTables } from './check-tables.ts'
import { type Finding, healthy, ill, type Sides } from './finding.ts'
import { pairTables } from './pair-tables.ts'
import type { Plan } from './plan.ts'

/**
 * Everything that must be right before a context is prepared (design §5.1), looked at on both sides and the broker.
 * @param broker Null skips the broker: `banyan plan` needs none.
 * @param options empty: the target's tables must hold no rows; gone: the service owns the context, so the crossing
 *   foreign keys are dropped
 */
export async function examine(
  plan: Plan,
  sides: Sides,
  broker: ChangesBroker | null,
  options: { empty?: boolean; gone?: boolean } = {},
): Promise<Finding[]> {
  const [servers, tables] = await Promise.all([checkServers(plan, sides), checkTables(plan, sides)])
  const findings = [...servers, ...tables]
  // The rest reads the tables themselves; what is not there would only be reported a second time.
  if (tables.every((finding) => finding.ok)) {
    findings.push(...(await checkCrossingKeys(plan, sides, options.gone)))
    findings.push(...(await checkPairs(plan, sides)))
    findings.push(...(await checkMappings(plan, sides)))
    findings.push(...(await checkSequences(plan, sides)))
    if (options.empty) findings.push(...(await checkEmpty(plan, sides)))
  }
  if (broker) findings.push(await checkBroker(plan, broker))
  return findings
}

async function checkPairs(plan: Plan, sides: Sides): Promise<Finding[]> {
  return Promise.all(
    plan.tables.map(async (table, index) => {
      try {
        await pairTables(table, sides)
        return healthy('columns', `${table.from} → ${table.to}`)
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        return ill(
          'columns',
          message,
          'make both sides agree, or map the column in the plan',
          plan.lineOf('tables', index),
        )
      }
    }),
  )
}

/** Rows that are there already would be taken for rows of the application, and never corrected. */
async function checkEmpty(plan: Plan, sides: Sides): Promise<Finding[]> {
  return Promise.all(
    plan.tables.map(async ({ to }, index) => {
      const full = `select exists (select from public."${to}") as full`
      const { rows } = await ask<{ full: boolean }>(sides.service, full, [])
      const where = `${plan.databases.service}.${to}`
      return rows[0]?.full
        ? ill(
            'target',
            `${where} holds rows already`,
            'empty it: the copy brings every row',
            plan.lineOf('tables', index),
          )
        : healthy('target', `${where} is empty`)
    }),
  )
}

/** Whether the look at the broker has left the lane's queue there. */
export const declaredQueue = (findings: readonly Finding[]): boolean =>
  findings.some(({ check, ok }) => check === 'broker' && ok)

async function checkBroker(plan: Plan, broker: ChangesBroker): Promise<Finding> {
  try {
    await broker.declare({ context: plan.context, toSide: 'service' })
    return healthy('broker', 'exchange and queue of the changes can be declared')
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return ill(
      'broker',
      `the changes' exchange or queue cannot be declared: ${message}`,
      'start it, or mend its address; the mover needs configure, write and read on banyan.changes*',
    )
  }
}
