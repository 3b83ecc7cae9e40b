import { ask } from '../data/open-db.ts'
import { type Finding, healthy, ill, type Sides } from './finding.ts'
import type { Plan, PlannedTable } from './plan.ts'

const SAMPLE = 1_000
const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`

/** `back(forward(row)) = row` on up to 1,000 rows of each table with a mapping that changes values. */
export async function checkMappings(plan: Plan, sides: Sides): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const [index, table] of plan.tables.entries()) {
    for (const [column, { to, forward, back }] of Object.entries(table.columns)) {
      if (forward === undefined || back === undefined) continue
      const line = plan.lineOf('tables', index, 'columns', column)
      findings.push(await invert(table, { column, to, forward, back }, sides, line))
    }
  }
  return findings
}

/** The way back reads its column by the target's name, so the sample's way there is renamed in a subquery. */
async function invert(
  table: PlannedTable,
  mapping: { column: string; to: string; forward: string; back: string },
  sides: Sides,
  line: number,
): Promise<Finding> {
  const { column, to, forward, back } = mapping
  const text = `select count(*)::int as rows, count(*) filter (where (${back}) is distinct from banyan_original)::int as broken
    from (select ${forward} as ${quoted(to)}, ${quoted(column)} as banyan_original
          from (select * from public.${quoted(table.from)} limit ${SAMPLE}) sample) there`
  const where = `${table.from}.${column}`
  try {
    const { rows } = await ask<{ rows: number; broken: number }>(sides.monolith, text, [])
    const { rows: seen = 0, broken = 0 } = rows[0] ?? {}
    return broken === 0
      ? healthy('mappings', `${where} inverts on ${seen} rows`)
      : ill(
          'mappings',
          `${where}: back(forward(x)) differs from x in ${broken} of ${seen} rows`,
          'make `back` the inverse of `forward`, or the way back would change rows',
          line,
        )
  } catch (error) {
    return ill(
      'mappings',
      `${where}: ${error instanceof Error ? error.message : error}`,
      'mend the SQL of `forward` or `back`; each reads the columns of its own side',
      line,
    )
  }
}
