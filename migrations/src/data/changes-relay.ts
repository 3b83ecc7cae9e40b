/** Rules 7 and 9: from `banyan.changes` to the broker, once or more, never not. */
import { setTimeout as pause } from 'node:timers/promises'
import { failPoint } from '@banyan/kit/service'
import { isBeat } from './canary.ts'
import type { Change, ChangesBroker, Lane } from './lane.ts'
import { ask } from './open-db.ts'
import { BRIEF, type Held, underToken } from './token.ts'

/** A larger row stays where it is and travels as its id. */
const LARGE_BYTES = 4 * 2 ** 20
/** What one round reads at most, whatever the rows' sizes. */
const ROUND_BYTES = 8 * 2 ** 20
const ROUND_ROWS = 500

/**
 * Publishes the next unpublished changes of the lane's `from`, and marks those that the broker has confirmed. *Which*
 * are unpublished is asked of the rows, never of a position: a lower id may commit later.
 * @returns how many were confirmed, and whether the broker refused some
 */
export async function relayOnce(lane: Lane, broker: ChangesBroker): Promise<{ confirmed: number; refused: number }> {
  const changes = beforeOrAtMarker(await readUnpublished(lane))
  if (changes.length === 0) return { confirmed: 0, refused: 0 }
  const rows = changes.filter((change) => !isBeat(change))
  const confirmed = await publish(lane, broker, rows)
  // A beat vouches for what was written before it, so it goes after all of that, or not yet.
  const arrived = new Set(confirmed)
  const refused = rows.find((change) => !arrived.has(change.id))
  const beats = changes.filter((change) => isBeat(change) && (!refused || BigInt(change.id) < BigInt(refused.id)))
  confirmed.push(...(await publish(lane, broker, beats)))
  await failPoint('changes-relay.after-publish')
  if (confirmed.length > 0) {
    const mark = ({ tx }: Held) =>
      tx.query('update banyan.changes set published_at = clock_timestamp() where id = any ($1::bigint[])', [confirmed])
    await underToken(lane.from, lane, 'share', mark, BRIEF)
    await failPoint('changes-relay.after-mark')
  }
  return { confirmed: confirmed.length, refused: changes.length - confirmed.length }
}

/** @returns the ids of those that the broker has confirmed */
async function publish(lane: Lane, broker: ChangesBroker, changes: readonly Change[]): Promise<string[]> {
  if (changes.length === 0) return []
  const messages = changes.map((change) => ({
    id: `${lane.context}.${lane.toSide}.${change.move}.${change.id}`,
    body: JSON.stringify(change),
  }))
  const answers = await broker.publish(lane, messages)
  return changes.filter((_, place) => answers[place] === true).map((change) => change.id)
}

export interface LoopOptions {
  /** Milliseconds between looks when there is nothing to do; 20 where absent. Asked anew before each pause. */
  idleMs?(): number
  /** Told of every failed round; the loop goes on after a pause. */
  onError(error: unknown): void
}

/**
 * Relays until it is closed.
 * @param lane asked anew each round, because a new attempt brings a new token
 */
export function startChangesRelay(lane: () => Lane, broker: ChangesBroker, options: LoopOptions) {
  const idleMs = options.idleMs ?? (() => 20)
  let open = true
  const round = async () => {
    const now = lane()
    return (await hasUnpublished(now)) ? await relayOnce(now, broker) : { confirmed: 0, refused: 0 }
  }
  const loop = (async () => {
    while (open) {
      const waitMs = await round().then(
        ({ confirmed, refused }) => (refused > 0 ? 200 : confirmed > 0 ? 0 : idleMs()),
        (error: unknown) => {
          options.onError(error)
          return 500
        },
      )
      if (open && waitMs > 0) await pause(waitMs)
    }
  })()
  return {
    /** Resolves when the round in hand has ended. */
    async close(): Promise<void> {
      open = false
      await loop
    },
  }
}

/** How far the lane is behind at its source. */
export async function relayBacklog(lane: Lane): Promise<{ unpublished: number; oldestMs: number }> {
  const { rows } = await ask<{ unpublished: string; oldest: string | null }>(
    lane.from,
    `select count(*) as unpublished, extract(epoch from clock_timestamp() - min(at)) * 1000 as oldest
      from banyan.changes where context = $1 and move = $2 and published_at is null`,
    [lane.context, lane.move],
  )
  return { unpublished: Number(rows[0]!.unpublished), oldestMs: Number(rows[0]!.oldest ?? 0) }
}

/** One statement without the token, which decides nothing: an idle lane looks many times a second. */
async function hasUnpublished(lane: Lane): Promise<boolean> {
  const { rows } = await ask(
    lane.from,
    'select from banyan.changes where context = $1 and published_at is null limit 1',
    [lane.context],
  )
  return rows.length > 0
}

async function readUnpublished(lane: Lane): Promise<Change[]> {
  const read = async ({ tx }: Held) => {
    const { rows } = await tx.query<Change & { large: boolean }>(
      `select id, context, move, op, tbl, key, token, large, case when not large then row end as row
        from (
          select *, coalesce(octet_length(row) > ${LARGE_BYTES}, false) as large,
            sum(least(coalesce(octet_length(row), 0), ${LARGE_BYTES})) over (order by n) as bytes
          from (
            select id as n, id::text as id, context, move::text as move, op::text as op, tbl, key,
              token::text as token, row::text as row
            from banyan.changes where context = $1 and published_at is null
            order by changes.id limit ${ROUND_ROWS} offset 0
          ) as oldest
        ) as sized
        where bytes <= ${ROUND_BYTES} order by n`,
      [lane.context],
    )
    return rows.map(({ large, ...change }) => (large ? { ...change, large } : change))
  }
  return underToken(lane.from, lane, 'share', read, BRIEF)
}

/**
 * A marker goes alone, and only when it is the oldest: whatever stands before it is then confirmed (rule 9). A nacked
 * change would otherwise come behind the marker that vouches for it.
 */
function beforeOrAtMarker(changes: readonly Change[]): Change[] {
  const marker = changes.findIndex((change) => change.op === 'm')
  if (marker === -1) return [...changes]
  return changes.slice(0, marker === 0 ? 1 : marker)
}
