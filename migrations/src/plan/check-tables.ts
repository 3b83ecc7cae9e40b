import type { Side } from '../data/lane.ts'
import { ask } from '../data/open-db.ts'
import { CAPTURE } from '../data/trigger-names.ts'
import { type Finding, healthy, ill, type Sides } from './finding.ts'
import type { Plan } from './plan.ts'

type TableRow = {
  name: string
  kind: string
  inherits: boolean
  inherited: boolean
  key: boolean
  deferrable: boolean
  /** A key's column in which two texts may be one value. */
  ambiguous: string | null
  capable: boolean
  /** Policies would hide rows from the mover. */
  filtered: boolean
  /** The context that its changes are captured for. */
  captured: string | null
}

/** Of a key's column: `numeric` or `bpchar` without a length, -0 of a float, an interval of 24 hours or of a day … */
const AMBIGUOUS = `
  b.typname in ('float4', 'float8', 'interval', 'citext', 'jsonb')
  or b.typname in ('numeric', 'bpchar') and -1 = all (array[a.atttypmod, t.typtypmod])
  or exists (select from pg_collation l where l.oid = a.attcollation and not l.collisdeterministic)`

const TABLES = `
  select c.relname as name, c.relkind as kind,
    exists (select from pg_inherits i where i.inhrelid = c.oid) as inherits,
    exists (select from pg_inherits i where i.inhparent = c.oid) as inherited,
    exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'p') as key,
    exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'p' and k.condeferrable) as deferrable,
    (select min(a.attname || ' ' || b.typname) from pg_constraint k
      join pg_attribute a on a.attrelid = c.oid and a.attnum = any(k.conkey) join pg_type t on t.oid = a.atttypid
      join pg_type b on b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
      where k.conrelid = c.oid and k.contype = 'p' and (${AMBIGUOUS})) as ambiguous,
    (select split_part(encode(t.tgargs, 'escape'), '\\000', 1) from pg_trigger t
      where t.tgrelid = c.oid and t.tgname = $2) as captured,
    pg_has_role(current_user, c.relowner, 'usage') as capable,
    row_security_active(c.oid) as filtered
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
  const { rows } = await ask<TableRow>(sides[side], TABLES, [names, CAPTURE])
  const found = new Map(rows.map((row) => [row.name, row]))
  return plan.tables.map((table, index) => {
    const where = `${plan.databases[side]}.${table[end]}`
    return judge(plan.context, where, found.get(table[end]), plan.lineOf('tables', index))
  })
}

function judge(context: string, where: string, table: TableRow | undefined, line: number): Finding {
  const no = (message: string, remedy: string) => ill('tables', `${where} ${message}`, remedy, line)
  if (!table) return no('does not exist', "run that database's migrations, or mend the name in the plan")
  if (table.kind === 'p') return no('is partitioned', 'move its partitions as plain tables, or leave it out')
  if (table.kind !== 'r') return no('is not a plain table', 'name ordinary tables only')
  if (table.inherits || table.inherited) return no('takes part in inheritance', 'move plain tables only')
  if (!table.key) return no('has no primary key', 'add one: rows are copied and compared by it')
  if (table.deferrable)
    return no('has a deferrable primary key', 'make it NOT DEFERRABLE: otherwise changes lose their order')
  if (table.ambiguous)
    return no(
      `has a primary key in which two texts may be one value (${table.ambiguous})`,
      'use a type whose equal values are written alike: changes are told apart by the text of their key',
    )
  if (table.captured !== null && table.captured !== context)
    return no(
      `moves with the context "${table.captured}"`,
      `take it out of one of the two plans; banyan unprepare ${table.captured} first`,
    )
  if (!table.capable)
    return ill(
      'privileges',
      `the mover has not the rights of the owner of ${where}`,
      'GRANT that role to the mover, to be inherited: of a NOINHERIT role membership alone is not enough',
    )
  if (table.filtered)
    return no(
      'has row level security, and its policies apply to the mover',
      'ALTER TABLE … NO FORCE ROW LEVEL SECURITY until the move is completed, or ALTER ROLE … BYPASSRLS of the mover: it must see and write every row',
    )
  return healthy('tables', where)
}
