import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Queryable } from './contexts.ts'

/** 'bany' as a number: the one lock that makes a mover the leader. */
const LEADER_LOCK = 0x62616e79
const PING_MS = 1_000
const PING_DEADLINE_MS = 2_000
/** Shorter than a ping's deadline: a statement that hangs ends before the pings behind it cost the lead. */
const MOST_MS = 1_500
const STANDBY_POLL_MS = 250
/** What a server that answers at all needs for a connection, or for one look at the lock. */
const ANSWER_MS = 5_000
const FAREWELL_MS = 500

export type Leadership = {
  /**
   * Works on the connection that holds the lock, in turn with the pings and with other contexts: the owner commit does,
   * so a mover that lost the lead cannot commit. Its statements end within so many milliseconds, or fail.
   * @param ms cut to 50 at least and 1,500 at most
   */
  within<T>(ms: number, work: (client: pg.Client) => Promise<T>): Promise<T>
  /** Aborted as soon as the lead is lost, for whatever reason. */
  lost: AbortSignal
  resign(): Promise<void>
}

/**
 * Waits until this process leads. The server ends a silent leader's session after 5 s (protocol rule 23), so a stopped
 * process keeps no lock; while it lives it pings each second. Null when `stop` is aborted first.
 */
export async function becomeLeader(
  connectionString: string,
  stop: AbortSignal,
  onStandby: () => void = () => undefined,
): Promise<Leadership | null> {
  while (!stop.aborted) {
    // Our own, so that it can be destroyed: a server that has gone silent would keep who seeks the lead, or leaves it.
    const socket = new Socket()
    const client = new pg.Client({
      connectionString,
      application_name: 'banyan mover (leader)',
      keepAlive: true,
      stream: () => socket,
    })
    const lost = new AbortController()
    client.on('error', (error) => lost.abort(error))
    client.on('end', () => lost.abort(new Error('the connection that holds the lead ended')))
    const giveUp = () => socket.destroy()
    stop.addEventListener('abort', giveUp)
    try {
      await answered(socket, async () => {
        await client.connect()
        await client.query("set idle_session_timeout = '5s'")
        await client.query("set idle_in_transaction_session_timeout = '2s'")
        await client.query('set synchronous_commit = on')
        await limitStatements(client, MOST_MS)
      })
      const look = () => answered(socket, () => tryLock(client))
      if (await waitForLock(look, stop, lost.signal, onStandby)) return lead(client, socket, lost)
    } catch (error) {
      lost.abort(error)
    } finally {
      stop.removeEventListener('abort', giveUp)
    }
    await leave(client, socket)
    await sleep(STANDBY_POLL_MS, undefined, { signal: stop }).catch(() => undefined)
  }
  return null
}

async function tryLock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query('select pg_try_advisory_lock($1) as mine', [LEADER_LOCK])
  return rows[0].mine
}

/** Fails work that a server does not answer in time. */
async function answered<T>(socket: Socket, work: () => Promise<T>): Promise<T> {
  const timer = setTimeout(() => socket.destroy(), ANSWER_MS)
  try {
    return await work()
  } finally {
    clearTimeout(timer)
  }
}

/** Politely, so that the lock is free at once; but a server that answers no more is not waited for. */
async function leave(client: pg.Client, socket: Socket): Promise<void> {
  const timer = setTimeout(() => socket.destroy(), FAREWELL_MS)
  await client.end().catch(() => undefined)
  clearTimeout(timer)
}

async function waitForLock(
  look: () => Promise<boolean>,
  stop: AbortSignal,
  lost: AbortSignal,
  onStandby: () => void,
): Promise<boolean> {
  let told = false
  while (!stop.aborted && !lost.aborted) {
    if (await look()) return true
    if (!told) onStandby()
    told = true
    await sleep(STANDBY_POLL_MS, undefined, { signal: stop }).catch(() => undefined)
  }
  return false
}

function lead(client: pg.Client, socket: Socket, lost: AbortController): Leadership {
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work)
    last = mine.catch(() => undefined)
    return mine
  }
  const ping = setInterval(() => {
    const deadline = setTimeout(() => lost.abort(new Error('a ping of the lead went unanswered')), PING_DEADLINE_MS)
    inTurn(() => client.query('select 1'))
      .catch((error) => lost.abort(error))
      .finally(() => clearTimeout(deadline))
  }, PING_MS)
  lost.signal.addEventListener('abort', () => {
    clearInterval(ping)
    // A statement that waits for a server which answers no more is rejected by this, and the lock is free for others.
    void leave(client, socket)
  })
  return {
    within: (ms, work) => inTurn(() => withinMs(client, ms, () => work(client))),
    lost: lost.signal,
    resign: async () => {
      lost.abort(new Error('resigned'))
      await leave(client, socket)
    },
  }
}

async function withinMs<T>(client: pg.Client, ms: number, work: () => Promise<T>): Promise<T> {
  await limitStatements(client, Math.min(Math.max(Math.ceil(ms), 50), MOST_MS))
  try {
    return await work()
  } finally {
    await limitStatements(client, MOST_MS)
  }
}

async function limitStatements(client: pg.Client, ms: number): Promise<void> {
  await client.query("select set_config('statement_timeout', $1, false)", [String(ms)])
}

/** Whether any mover holds the lead at this moment. */
export async function someoneLeads(db: Queryable): Promise<boolean> {
  const { rows } = await db.query(
    `select exists (select from pg_locks l join pg_database d on d.oid = l.database and d.datname = current_database()
       where l.locktype = 'advisory' and l.objid = $1::bigint and l.granted) as led`,
    [LEADER_LOCK],
  )
  return rows[0].led
}
