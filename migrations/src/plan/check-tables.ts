import type { Side } from '../data/lane.ts'
import { type Finding, healthy, ill, type Sides } from './finding.ts'
import type { Plan } from './plan.ts'

type TableRow = {
  name: string
  kind: string
  inherits: boolean
  inherited: boolean
  key: boolean
  deferrable: boolean
  capable: boolean
}

const TABLES = `
  select c.relname as name, c.relkind as kind,
    exists (select from pg_inherits i where i.inhrelid = c.oid) as inherits,
    exists (select from pg_inherits i where i.inhparent = c.oid) as inherited,
    exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'p') as key,
    exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'p' and k.condeferrable) as deferrable,
    pg_has_role(current_user, c.relowner, 'member') as capable
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'public' and c.relname = any($1)`

/** Every planned table, on both sides: there, plain, with a primary key at once checked, and the mover may act on it. */
export async function checkTables(plan: Plan, sides: Sides): Promise<Finding[]> {
  const both = await Promise.all([tablesOf(plan, sides, 'monolith'), tablesOf(plan, sides, 'service')])
  return both.flat()
}

async function tablesOf(plan: Plan, sides: Sides, side: Side): Promise<Finding[]> {
  const end = side === 'monolith' ? 'from' : 'to'
  const names = plan.tables.map((table) => table[end])
  const { rows } = await sides[side].query<TableRow>(TABLES, [names])
  const found = new Map(rows.map((row) => [row.name, row]))
  return plan.tables.map((table, index) => {
    const where = `${plan.databases[side]}.${table[end]}`
    return judge(where, found.get(table[end]), plan.lineOf('tables', index))
  })
}

function judge(where: string, table: TableRow | undefined, line: number): Finding {
  const no = (message: string, remedy: string) => ill('tables', `${where} ${message}`, remedy, line)
  if (!table) return no('does not exist', "run that database's migrations, or mend the name in the plan")
  if (table.kind === 'p') return no('is partitioned', 'move its partitions as plain tables, or leave it out')
  if (table.kind !== 'r') return no('is not a plain table', 'name ordinary tables only')
  if (table.inherits || table.inherited) return no('takes part in inheritance', 'move plain tables only')
  if (!table.key) return no('has no primary key', 'add one: rows are copied and compared by it')
  if (table.deferrable)
    return no('has a deferrable primary key', 'make it NOT DEFERRABLE: otherwise changes lose their order')
  if (!table.capable)
    return ill('privileges', `the mover is no member of the owner of ${where}`, 'GRANT that role to the mover')
  return healthy('tables', where)
}
