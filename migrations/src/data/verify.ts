/** Design §5.4: both sides hashed range by range; what differs is narrowed to rows, and looked at again. */

import { inRange, type Keyed, type KeyRange, keyAfter, sourceKeyed, targetKeyed } from './key-range.ts'
import type { Db, Lane, TableMove } from './lane.ts'
import { tableId } from './lane.ts'
import { rowHash, sourceColumns, targetColumns } from './row-text.ts'
import { keyText, qualified } from './sql-text.ts'
import { type Held, PIECE, type TokenOptions, underToken } from './token.ts'
import { compareRow, type Suspect, settle } from './verify-again.ts'

export interface Difference {
  readonly tbl: string
  readonly key: string
  readonly kind: 'missing' | 'extra' | 'different'
  /** The target's names of the columns that differ; empty for a missing or extra row. Values are never reported. */
  readonly columns: readonly string[]
}

export interface Verified {
  readonly tbl: string
  /** Rows hashed at the source. */
  readonly rows: number
  readonly differences: readonly Difference[]
  /** Rows that kept changing and could not be settled; they count against a clean verification. */
  readonly unsettled: readonly string[]
  readonly seconds: number
}

export interface VerifyOptions {
  /** Rows hashed by one statement; 50,000 where absent. */
  readonly rangeRows?: number
  /** How long one marker may take; 10 s where absent. */
  readonly markerMs?: number
  /**
   * Stops after so many rows that really differ, and looks again at so many suspects together; 1,000 where absent.
   */
  readonly maxDifferences?: number
  onProgress?(rows: number): void
}

/** Ranges up to here are compared row by row rather than halved again. */
const ROW_BY_ROW = 2000

/** A range has as many rows as it is told to, however wide they are. */
const RANGE: TokenOptions = { ...PIECE, limitMs: 300_000 }

interface View {
  readonly db: Db
  readonly keyed: Keyed
  readonly columns: readonly string[]
}

/** What came of the rows that differed once. */
interface Findings {
  readonly differences: readonly Difference[]
  readonly unsettled: readonly string[]
  /** Looks again at what has come together, if that is enough to be worth a marker. */
  suspect(suspects: readonly Suspect[]): Promise<void>
  /** Looks again at the rest. */
  settleAll(): Promise<void>
  /** So many differ that no more are looked for: what is not compared any more cannot make it clean. */
  isFull(): boolean
}

interface Digest {
  readonly count: number
  readonly sum: string
}

/**
 * Compares a table's two sides while both live. Needs the lane's relay and applier to run: a differing row counts only
 * if it still differs after a marker has been applied.
 * @throws MarkerLate, TokenOverruled
 */
export async function verifyTable(lane: Lane, table: TableMove, options: VerifyOptions = {}): Promise<Verified> {
  const begun = performance.now()
  const views = viewsOf(lane, table)
  const findings = findingsOf(lane, table, options)
  let rows = 0
  // While the target hashes a range, the source is at the next one already.
  let behind: Promise<void> = Promise.resolve()
  for await (const { range, digest } of sourceDigests(lane, views.source, options.rangeRows ?? 50_000)) {
    await behind
    rows += digest.count
    behind = compareRange(lane, views, range, digest, findings)
    behind.catch(() => undefined)
    options.onProgress?.(rows)
    if (findings.isFull()) break
  }
  await behind
  await findings.settleAll()
  const { differences, unsettled } = findings
  const seconds = (performance.now() - begun) / 1000
  return { tbl: tableId(table.target), rows, differences, unsettled, seconds }
}

function findingsOf(
  lane: Lane,
  table: TableMove,
  { maxDifferences = 1000, markerMs = 10_000 }: VerifyOptions,
): Findings {
  const differences: Difference[] = []
  const unsettled: string[] = []
  let waiting: Suspect[] = []
  const settleAll = async () => {
    const looked = await settle(lane, table, waiting, markerMs)
    waiting = []
    unsettled.push(...looked.unsettled)
    for (const key of looked.real) {
      const difference = await compareRow(lane, table, key)
      if (difference) differences.push({ tbl: tableId(table.target), ...difference })
    }
  }
  return {
    differences,
    unsettled,
    async suspect(suspects) {
      waiting.push(...suspects)
      // While changes are many, most are merely late. Who stopped here would call clean what was never compared.
      if (waiting.length >= maxDifferences) await settleAll()
    },
    settleAll,
    isFull: () => differences.length + unsettled.length >= maxDifferences,
  }
}

function viewsOf(lane: Lane, table: TableMove): { source: View; target: View } {
  return {
    source: { db: lane.from, keyed: sourceKeyed(table), columns: sourceColumns(table) },
    target: { db: lane.to, keyed: targetKeyed(table), columns: targetColumns(table) },
  }
}

/** Ranges that join without a gap from the first to the last possible key, so that extra rows are in one of them. */
async function* sourceDigests(lane: Lane, source: View, rows: number) {
  let after: string | null = null
  let next = endOf(lane, source, { after, upTo: null }, rows)
  for (;;) {
    const upTo: string | null = await next
    const range: KeyRange = { after, upTo }
    const digesting = digestOf(lane, source, range)
    if (upTo !== null) next = endOf(lane, source, { after: upTo, upTo: null }, rows)
    next.catch(() => undefined)
    yield { range, digest: await digesting }
    if (upTo === null) return
    after = upTo
  }
}

async function compareRange(
  lane: Lane,
  views: { source: View; target: View },
  range: KeyRange,
  source: Digest,
  findings: Findings,
): Promise<void> {
  const target = await digestOf(lane, views.target, range)
  if (source.count === target.count && source.sum === target.sum) return
  if (findings.isFull()) return
  const rows = Math.max(source.count, target.count)
  const half = rows > ROW_BY_ROW ? await middle(lane, views, range, rows) : null
  if (half === null) {
    await findings.suspect(await differingRows(lane, views, range))
    return
  }
  for (const part of [
    { after: range.after, upTo: half },
    { after: half, upTo: range.upTo },
  ]) {
    await compareRange(lane, views, part, await digestOf(lane, views.source, part), findings)
  }
}

async function middle(
  lane: Lane,
  views: { source: View; target: View },
  range: KeyRange,
  rows: number,
): Promise<string | null> {
  const half = Math.ceil(rows / 2)
  const found = (await endOf(lane, views.source, range, half)) ?? (await endOf(lane, views.target, range, half))
  return found === range.upTo ? null : found
}

/** The last key of the next `rows` in the range, or null if there are fewer. */
function endOf(lane: Lane, { db, keyed }: View, range: KeyRange, rows: number): Promise<string | null> {
  return underToken(db, lane, 'share', ({ tx }) => keyAfter(tx, keyed, range, rows), RANGE)
}

/** Order-free: the sum of 64-bit hashes, beside the count. An XOR would let equal pairs cancel out. */
async function digestOf(lane: Lane, view: View, range: KeyRange): Promise<Digest> {
  const digest = async ({ tx }: Held) => {
    const { rows } = await tx.query<{ count: string; sum: string }>(
      `select count(*) as count, coalesce(sum(${rowHash(view.columns)}), 0)::text as sum
        from ${qualified(view.keyed.table)} where ${inRange(view.keyed, range)}`,
    )
    return { count: Number(rows[0]!.count), sum: rows[0]!.sum }
  }
  return underToken(view.db, lane, 'share', digest, RANGE)
}

async function differingRows(lane: Lane, views: { source: View; target: View }, range: KeyRange): Promise<Suspect[]> {
  const [source, target] = await Promise.all([hashesOf(lane, views.source, range), hashesOf(lane, views.target, range)])
  const keys = new Set([...source.keys(), ...target.keys()])
  return [...keys].filter((key) => source.get(key) !== target.get(key)).map((key) => ({ key, steady: 0 }))
}

async function hashesOf(lane: Lane, view: View, range: KeyRange): Promise<Map<string, string>> {
  const read = async ({ tx }: Held) => {
    const { rows } = await tx.query<{ key: string; hash: string }>(
      `select ${keyText(view.keyed.key)} as key, ${rowHash(view.columns)}::text as hash
        from ${qualified(view.keyed.table)} where ${inRange(view.keyed, range)}`,
    )
    return new Map(rows.map((row) => [row.key, row.hash]))
  }
  return underToken(view.db, lane, 'share', read, RANGE)
}
