import { ask } from '../data/open-db.ts'
import { type Finding, healthy, ill, type Sides } from './finding.ts'
import type { Plan } from './plan.ts'

export type CrossingKeyRow = { table: string; constraint: string; target: string; on_delete: string; on_update: string }

const ACTS: Readonly<Record<string, string>> = { c: 'CASCADE', n: 'SET NULL', d: 'SET DEFAULT' }
/** As the plan writes it: a table of the schema public by its name alone. */
const nameOf = (table: string) =>
  `(select case n.nspname when 'public' then '' else n.nspname || '.' end || ${table}.relname
    from pg_namespace n where n.oid = ${table}.relnamespace)`
const CROSSING = `
  with mine as (select oid from pg_class where relnamespace = 'public'::regnamespace and relname = any($1))
  select ${nameOf('c')} as table, k.conname as constraint, ${nameOf('f')} as target,
    k.confdeltype as on_delete, k.confupdtype as on_update
  from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_class f on f.oid = k.confrelid
  where k.contype = 'f' and k.conparentid = 0 and (c.oid in (table mine)) <> (f.oid in (table mine))
  order by 1, 2`

/** The monolith's foreign keys with one end among the planned tables and one outside. */
export async function readCrossingKeys(plan: Plan, monolith: Sides['monolith']): Promise<CrossingKeyRow[]> {
  return (await ask<CrossingKeyRow>(monolith, CROSSING, [plan.tables.map((table) => table.from)])).rows
}

/**
 * Every foreign key that crosses the border is named in the plan, with what replaces it if it acts by itself.
 * @param gone The keys are dropped while the service owns the context: then those of the plan need not exist.
 */
export async function checkCrossingKeys(plan: Plan, sides: Sides, gone = false): Promise<Finding[]> {
  const rows = await readCrossingKeys(plan, sides.monolith)
  const planned = plan.crossingKeys.map((key, index) => ({ ...key, line: plan.lineOf('crossing-foreign-keys', index) }))
  const found = rows.map((row) => {
    const named = planned.find((key) => key.table === row.table && key.constraint === row.constraint)
    const acts = ACTS[row.on_delete]
      ? `ON DELETE ${ACTS[row.on_delete]}`
      : ACTS[row.on_update] && `ON UPDATE ${ACTS[row.on_update]}`
    if (!named)
      return ill(
        'crossing keys',
        `foreign key ${row.constraint} of ${row.table} crosses the border to ${row.target}`,
        `name it under crossing-foreign-keys: { table: ${row.table}, constraint: ${row.constraint}${acts ? ', replacement: … }' : ' }'}`,
        plan.lineOf('crossing-foreign-keys'),
      )
    if (acts && !named.replacement)
      return ill(
        'crossing keys',
        `${row.constraint} acts by itself (${acts}) and the plan names nothing in its place`,
        'say under `replacement` which event or code does that from the switch on',
        named.line,
      )
    return healthy('crossing keys', `${row.constraint} of ${row.table} → ${row.target}`)
  })
  const strangers = planned.filter(
    (key) => !gone && !rows.some((row) => key.table === row.table && key.constraint === row.constraint),
  )
  return [
    ...found,
    ...strangers.map((key) =>
      ill(
        'crossing keys',
        `${key.table} has no foreign key "${key.constraint}" that crosses the border`,
        'mend the name or take the line out',
        key.line,
      ),
    ),
  ]
}
