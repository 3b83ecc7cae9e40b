/** Rows that differed once: which of them really do, and in what. */
import { isKey, type Keyed, sourceKeyed, targetKeyed } from './key-range.ts'
import type { Db, Lane, TableMove } from './lane.ts'
import { awaitMarker, sendMarker } from './marker.ts'
import { rowHash, sourceColumns, targetColumns } from './row-text.ts'
import { keyText, qualified, written } from './sql-text.ts'
import { type Held, PIECE, underToken } from './token.ts'

export interface Suspect {
  readonly key: string
  /** How many markers the source's row has stayed the same over, while the target still differed. */
  steady: number
}

export interface RowDifference {
  readonly key: string
  readonly kind: 'missing' | 'extra' | 'different'
  readonly columns: readonly string[]
}

const ROUNDS = 20
/** Two, because a row that went there and back within one marker would look steady. */
const STEADY_ROUNDS = 2
const KEYS_A_STATEMENT = 200

/**
 * Looks again after a marker, until every suspect either agrees, or has differed while the source stood still.
 * @returns keys that really differ, and keys that changed each time they were looked at
 */
export async function settle(
  lane: Lane,
  table: TableMove,
  suspects: readonly Suspect[],
  markerMs: number,
): Promise<{ real: string[]; unsettled: string[] }> {
  let open = [...suspects]
  const real: string[] = []
  for (let round = 0; open.length > 0 && round < ROUNDS; round++) {
    const before = await hashes(lane, lane.from, sourceKeyed(table), sourceColumns(table), open)
    await awaitMarker(lane, await sendMarker(lane), markerMs)
    const target = await hashes(lane, lane.to, targetKeyed(table), targetColumns(table), open)
    const after = await hashes(lane, lane.from, sourceKeyed(table), sourceColumns(table), open)
    open = open.filter((suspect) => {
      const [was, is] = [before.get(suspect.key) ?? null, after.get(suspect.key) ?? null]
      // What the target holds now has to be what the source held at, or after, the marker.
      if ([was, is].includes(target.get(suspect.key) ?? null)) return false
      suspect.steady = was === is ? suspect.steady + 1 : 0
      if (suspect.steady < STEADY_ROUNDS) return true
      real.push(suspect.key)
      return false
    })
  }
  return { real, unsettled: open.map((suspect) => suspect.key) }
}

/** @returns how one row differs now, or null if it no longer does */
export async function compareRow(lane: Lane, table: TableMove, key: string): Promise<RowDifference | null> {
  const [source, target] = await Promise.all([
    texts(lane, lane.from, sourceKeyed(table), sourceColumns(table), key),
    texts(lane, lane.to, targetKeyed(table), targetColumns(table), key),
  ])
  if (!source && !target) return null
  if (!source || !target) return { key, kind: source ? 'missing' : 'extra', columns: [] }
  const columns = written(table)
    .map((column) => column.target)
    .filter((_, place) => source[place] !== target[place])
  return columns.length === 0 ? null : { key, kind: 'different', columns }
}

async function hashes(lane: Lane, db: Db, keyed: Keyed, columns: readonly string[], suspects: readonly Suspect[]) {
  const found = new Map<string, string>()
  for (let first = 0; first < suspects.length; first += KEYS_A_STATEMENT) {
    const some = suspects.slice(first, first + KEYS_A_STATEMENT).map((suspect) => isKey(keyed, suspect.key))
    const read = ({ tx }: Held) =>
      tx.query<{ key: string; hash: string }>(
        `select ${keyText(keyed.key)} as key, ${rowHash(columns)}::text as hash
          from ${qualified(keyed.table)} where ${some.join(' or ')}`,
      )
    const { rows } = await underToken(db, lane, 'share', read, PIECE)
    for (const row of rows) found.set(row.key, row.hash)
  }
  return found
}

/** Digests of the single columns: their values stay in the database. */
async function texts(
  lane: Lane,
  db: Db,
  keyed: Keyed,
  columns: readonly string[],
  key: string,
): Promise<string[] | null> {
  const digests = columns.map((column) => `coalesce(md5(${column}::text), '')`)
  const read = ({ tx }: Held) =>
    tx.query<{ digests: string[] }>(
      `select array[${digests.join(', ')}] as digests from ${qualified(keyed.table)} where ${isKey(keyed, key)}`,
    )
  const { rows } = await underToken(db, lane, 'share', read, PIECE)
  return rows[0]?.digests ?? null
}
