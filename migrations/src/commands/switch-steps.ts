import { type Direction, type Stored, targetOf } from '../control/stored.ts'
import { FENCE } from '../data/trigger-names.ts'
import type { Plan } from '../plan/plan.ts'
import { controlSql } from './add-change.ts'

/** The steps of a switch or rollback in order, each with the SQL that makes it so. */
export function switchSteps(plan: Plan, stored: Stored, direction: Direction): string[] {
  const there = direction === 'to-service'
  const [from, to] = there ? (['from', 'to'] as const) : (['to', 'from'] as const)
  const source = plan.databases[there ? 'monolith' : 'service']
  const target = plan.databases[there ? 'service' : 'monolith']
  const token = stored.token + 1n
  const attempt = { ...stored, token, phase: 'switching' as const }
  const sources = plan.tables.map((table) => `public.${table[from]}`).sort()
  const targets = plan.tables.map((table) => `public.${table[to]}`).sort()
  const fences = (tables: string[], verb: string) =>
    tables.map((table) => `alter table ${table} ${verb} trigger "${FENCE}";`)
  const sequences = plan.sequences.length > 0 ? ` and ${plan.sequences.join(', ')}` : ''
  return [
    controlSql(stored, { phase: 'switching', direction, token }),
    ...(there
      ? plan.crossingKeys.map(
          (key) => `alter table ${qualified(key.table)} drop constraint ${key.constraint};  -- ${source}`,
        )
      : []),
    controlSql(attempt, { step: 'hold', hold: true }),
    '-- every live proxy and worker acknowledges that its requests in flight have ended',
    `-- ${source}, one transaction, lock_timeout 800 ms:`,
    `update banyan.fence set token = ${token}, closed = true where context = '${plan.context}';`,
    `lock table banyan.owner in exclusive mode; update banyan.owner set owner = 'moving' where context = '${plan.context}';`,
    `lock table ${sources.join(', ')} in share row exclusive mode;`,
    ...fences(sources, 'enable always'),
    `insert into banyan.changes (context, move, op, token) values ('${plan.context}', ${stored.move}, 'm', ${token});`,
    `-- ${target}: the marker is applied, every change before it found in its row, sequences of the tables${sequences} moved beyond the source's`,
    controlSql(attempt, { owner: targetOf(direction), term: stored.term + 1n, phase: 'switched' }),
    `-- the point of no return is behind; ${target}, one transaction:`,
    `update banyan.owner set owner = '${targetOf(direction)}', term = ${stored.term + 1n} where context = '${plan.context}';`,
    ...fences(targets, 'disable'),
    `update banyan.contexts set hold = false${there ? '' : ", phase = 'ready'"} where context = '${plan.context}';  -- banyan_control`,
    ...(there
      ? []
      : plan.crossingKeys.map(
          (key) =>
            `alter table ${qualified(key.table)} add constraint ${key.constraint} … not valid; … validate constraint ${key.constraint};  -- ${target}`,
        )),
  ]
}

const qualified = (table: string) => (table.includes('.') ? table : `public.${table}`)
