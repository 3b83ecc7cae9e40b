import type { Side, TableName } from '../data/lane.ts'
import { ASK_MS, ask, withConnection } from '../data/open-db.ts'
import { sequencesOf } from '../data/sequences.ts'
import { type Finding, healthy, ill, type Sides } from './finding.ts'
import type { Plan } from './plan.ts'

type Wanted = TableName & { line: number }
type SequenceRow = { kind: string | null; usable: boolean | null }

/** Either may be asked for first: PostgreSQL fails the question for what is no sequence. */
const SEQUENCES = `
  select c.relkind as kind, case c.relkind when 'S' then
    has_schema_privilege(n.oid, 'usage') and has_sequence_privilege(c.oid, 'select')
      and has_sequence_privilege(c.oid, 'update') end as usable
  from unnest($1::text[], $2::text[]) with ordinality as wanted(schema, name, place)
    left join pg_namespace n on n.nspname = wanted.schema
    left join pg_class c on c.relnamespace = n.oid and c.relname = wanted.name
  order by place`

/**
 * Every sequence of the plan and of its tables' columns, on both sides: there, and the mover may read and set it. The
 * way back needs what the way there needs, with the sides exchanged.
 */
export async function checkSequences(plan: Plan, sides: Sides): Promise<Finding[]> {
  const both = await Promise.all([sequencesAt(plan, sides, 'monolith'), sequencesAt(plan, sides, 'service')])
  return both.flat()
}

async function sequencesAt(plan: Plan, sides: Sides, side: Side): Promise<Finding[]> {
  const wanted = await wantedAt(plan, sides, side)
  const { rows } = await ask<SequenceRow>(sides[side], SEQUENCES, [
    wanted.map(({ schema }) => schema),
    wanted.map(({ name }) => name),
  ])
  return wanted.map((one, index) => judge(`${plan.databases[side]}.${nameOf(one)}`, one, rows[index]))
}

/** Those that the plan names first: what is wrong with one of them is mended there. */
async function wantedAt(plan: Plan, sides: Sides, side: Side): Promise<Wanted[]> {
  const end = side === 'monolith' ? 'from' : 'to'
  const wanted = plan.sequences.map(
    (name, index): Wanted => ({ schema: 'public', name, line: plan.lineOf('sequences', index) }),
  )
  for (const [index, table] of plan.tables.entries())
    for (const { schema, name } of await withConnection(
      sides[side],
      (tx) => sequencesOf(tx, { schema: 'public', name: table[end] }),
      ASK_MS,
    ))
      if (!wanted.some((one) => one.schema === schema && one.name === name))
        wanted.push({ schema, name, line: plan.lineOf('tables', index) })
  return wanted
}

function judge(where: string, sequence: Wanted, found: SequenceRow | undefined): Finding {
  const no = (message: string, remedy: string) => ill('sequences', `${where} ${message}`, remedy, sequence.line)
  if (!found?.kind)
    return no(
      'does not exist',
      "run that database's migrations, or mend the name in the plan: it is the same on both sides, in the schema public",
    )
  if (found.kind !== 'S') return no('is not a sequence', 'name sequences only')
  if (!found.usable)
    return no(
      'may not be read and set by the mover',
      `GRANT SELECT, UPDATE ON SEQUENCE ${nameOf(sequence)}, and USAGE ON SCHEMA ${sequence.schema}, to it`,
    )
  return healthy('sequences', where)
}

const nameOf = ({ schema, name }: TableName) => (schema === 'public' ? name : `${schema}.${name}`)
