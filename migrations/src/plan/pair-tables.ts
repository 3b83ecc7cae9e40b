import { describeTable, tableMove } from '../data/describe.ts'
import type { TableMove } from '../data/lane.ts'
import type { Sides } from './finding.ts'
import type { PlannedTable } from './plan.ts'

/**
 * Reads a planned table on both sides and pairs their columns.
 * @throws Error with table, column and remedy where they cannot be paired
 */
export async function pairTables(table: PlannedTable, sides: Sides): Promise<TableMove> {
  const [from, to] = await Promise.all([
    describeTable(sides.monolith, { schema: 'public', name: table.from }),
    describeTable(sides.service, { schema: 'public', name: table.to }),
  ])
  if (!from || !to)
    throw new Error(`there is no table ${from ? `${table.to} on the service` : `${table.from} on the monolith`}'s side`)
  const rules = Object.entries(table.columns).map(([name, { to: target, ...sql }]) => [name, { target, ...sql }])
  return tableMove(from, to, Object.fromEntries(rules))
}
