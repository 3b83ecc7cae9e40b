/** The invariants of the move, asked of the databases themselves. */
import { expect } from 'vitest'
import { connected } from '../../../compose/provision/database.ts'
import { tablesOf } from '../../../compose/provision/services.ts'
import { twoSidesOpen } from './memory.ts'
import { rowOf, stateOf } from './moves.ts'
import type { Side, System } from './system.ts'
import { until } from './wait.ts'
import type { Writers } from './writers.ts'

/** A hold of 8 s, then the request itself: what takes longer was forgotten (I6). */
const LONGEST_ANSWER_MS = 12_000

/**
 * Which sides would let an application write now: those whose fence is not closed, or does not stand on each of their
 * tables. While the context is on no move there is no fence, and only the owner's side counts.
 */
export async function openSides(system: System): Promise<Side[]> {
  const { phase, owner } = await rowOf(system)
  if (phase === 'idle') return [owner]
  const [monolith, service] = await Promise.all(
    ['shop', system.database].map((database) =>
      connected(system.superuser(database), async (db) => {
        const { rows } = await db.query(
          `select not coalesce((select closed from banyan.fence where context = $1), $2)
             or exists (select from unnest($3::text[]) as name where to_regclass(name) is not null and not ${FENCED}) as open`,
          [system.context, database !== 'shop', tablesOf(system.context)],
        )
        return rows[0].open as boolean
      }),
    ),
  )
  return [...(monolith ? (['monolith'] as const) : []), ...(service ? (['service'] as const) : [])]
}

const FENCED = `exists (
  select from pg_trigger where tgrelid = to_regclass(name) and tgname = '!!banyan_fence' and tgenabled = 'A')`

/** I1, asked in a moment when something has just died. */
export async function expectOneOpenAtMost(system: System): Promise<void> {
  expect((await openSides(system)).length, JSON.stringify(await stateOf(system))).toBeLessThanOrEqual(1)
}

/** I5, I3 and the databases' own knowledge: at rest, one side open, both equal, everybody agrees who it is. */
export async function expectAtRest(system: System, owner?: Side): Promise<void> {
  const row = await rowOf(system)
  expect(row).toMatchObject({ hold: false, step: null, direction: null, ...(owner ? { owner } : {}) })
  expect(await openSides(system)).toEqual([row.owner])
  for (const side of ['monolith', 'service'] as const) {
    const { rows } = await system.sides[side].query('select owner, term::int from banyan.owner where context = $1', [
      system.context,
    ])
    expect(rows[0], `banyan.owner of the ${side}`).toEqual({ owner: row.owner, term: row.term })
  }
}

/** After a move was taken back: no trigger of the engine's on either side, no captured change, no row of the copy. */
export async function expectNothingLeft(system: System): Promise<void> {
  const left = await Promise.all(
    ['shop', system.database].map((database) =>
      connected(system.superuser(database), async (db) => {
        const { rows } = await db.query(
          `select (select count(*)::int from pg_trigger
              where tgrelid = any (select to_regclass(name) from unnest($2::text[]) as name) and tgname like '!%') as triggers,
            (select count(*)::int from banyan.changes where context = $1) as changes`,
          [system.context, tablesOf(system.context)],
        )
        return rows[0]
      }),
    ),
  )
  const { service } = await digests(system)
  expect({ left, rows: service.map(({ rows }) => rows) }).toEqual({
    left: [
      { triggers: 0, changes: 0 },
      { triggers: 0, changes: 0 },
    ],
    rows: service.map(() => 0),
  })
}

/** I3: every table of both sides has the same rows. Waits for what is still on its way, not longer than `withinMs`. */
export async function expectEqualSides(system: System, withinMs = 20_000): Promise<void> {
  await until(
    'both sides to be equal',
    withinMs,
    async () => {
      const { monolith, service } = await digests(system)
      return JSON.stringify(monolith) === JSON.stringify(service)
    },
    async () => ({ ...(await digests(system)), state: await stateOf(system) }),
  )
}

async function digests({ sides, context }: System) {
  const of = (side: Side) =>
    Promise.all(
      tablesOf(context).map(async (table) => {
        const { rows } = await sides[side].query(
          `select count(*)::int as rows, md5(coalesce(string_agg(hash, '' order by hash), '')) as hash
           from (select md5(to_jsonb(t)::text) as hash from ${table} t) as hashed`,
        )
        return { table, ...rows[0] }
      }),
    )
  const [monolith, service] = await Promise.all([of('monolith'), of('service')])
  return { monolith, service }
}

/** I1 over all the time, I2, I4 and I6. Call it when the writers have stopped and the sides are equal. */
export async function expectNothingLost(system: System, { memory }: Writers): Promise<void> {
  const { owner } = await rowOf(system)
  const { rows } = await system.sides[owner].query(
    `select sku, price_cents as price from products where sku like 'T-%'`,
  )
  const held = new Map(rows.map((row) => [row.sku as string, row.price as number]))
  expect(memory.compare(held)).toEqual([])
  expect(twoSidesOpen(memory.acceptances)).toEqual([])
  expect(memory.counts.accepted).toBeGreaterThan(50)
  expect(memory.slowest.proxy ?? 0).toBeLessThan(LONGEST_ANSWER_MS)
}
