import { recordAudit } from './audit.ts'
import type { Queryable } from './contexts.ts'
import type { Intent, Verb } from './stored.ts'

export type Ask = {
  context: string
  verb: Verb
  args?: Record<string, unknown>
  source: Intent['source']
  who: string
  why?: string | undefined
}

export type Settled = {
  id: bigint
  state: 'pending' | 'running' | 'done' | 'failed' | 'refused' | 'cancelled'
  waitsFor: string | null
  result: { because?: string } | null
}

const OPEN = `select *, extract(epoch from clock_timestamp() - created_at) * 1000 as age_ms
  from banyan.intents where state in ('pending', 'running')`

/** Writes down what is wanted; null when this context has an open intent already. */
export async function askFor(db: Queryable, ask: Ask): Promise<bigint | null> {
  const { rows } = await db.query('select banyan.ask($1, $2, $3, $4, $5, $6)::text as id', [
    ask.context,
    ask.verb,
    ask.args ?? {},
    ask.source,
    ask.who,
    ask.why ?? null,
  ])
  return rows[0].id === null ? null : BigInt(rows[0].id)
}

/** The one open intent of a context, if any. */
export async function openIntent(db: Queryable, context: string): Promise<Intent | null> {
  const { rows } = await db.query(`${OPEN} and context = $1`, [context])
  return rows[0] ? intentOf(rows[0]) : null
}

/** The intent of a context that ended last, if any has. */
export async function lastIntent(
  db: Queryable,
  context: string,
): Promise<{ verb: Verb; state: Settled['state']; because: string | null; agoMs: number } | null> {
  const { rows } = await db.query(
    `select verb, state, result ->> 'because' as because,
       extract(epoch from clock_timestamp() - settled_at)::float8 * 1000 as "agoMs"
     from banyan.intents where context = $1 and settled_at is not null order by settled_at desc, id desc limit 1`,
    [context],
  )
  return rows[0] ?? null
}

/** What the last intent of a verb that the mover has taken up was asked with; nothing where there was none. */
export async function lastArgs(db: Queryable, context: string, verb: Verb): Promise<Intent['args']> {
  const { rows } = await db.query(
    `select args from banyan.intents where context = $1 and verb = $2 and state in ('running', 'done', 'failed')
     order by id desc limit 1`,
    [context, verb],
  )
  return rows[0]?.args ?? {}
}

/** How an intent stands now. */
export async function intentState(db: Queryable, id: bigint): Promise<Settled> {
  const { rows } = await db.query('select state, waits_for, result from banyan.intents where id = $1', [String(id)])
  if (!rows[0]) throw new Error(`there is no intent ${id}`)
  return { id, state: rows[0].state, waitsFor: rows[0].waits_for, result: rows[0].result }
}

export async function acceptIntent(db: Queryable, id: bigint): Promise<void> {
  await db.query("update banyan.intents set state = 'running', waits_for = null where id = $1 and state = 'pending'", [
    String(id),
  ])
}

/** Notes what an open intent waits for, for `status` and the console; writes only when that changed. */
export async function noteWait(db: Queryable, id: bigint, waitsFor: string | null): Promise<void> {
  await db.query('update banyan.intents set waits_for = $2 where id = $1 and waits_for is distinct from $2', [
    String(id),
    waitsFor,
  ])
}

export async function settleIntent(
  db: Queryable,
  id: bigint,
  state: 'done' | 'failed' | 'refused',
  because: string,
): Promise<void> {
  await db.query(
    `update banyan.intents set state = $2, waits_for = case when $2 = 'refused' then $3 end,
       result = jsonb_build_object('because', $3::text), settled_at = clock_timestamp()
     where id = $1 and state in ('pending', 'running')`,
    [String(id), state, because],
  )
}

/** Takes back an intent, of these verbs if told, that the mover has not begun; says whether there was one. */
export async function cancelIntent(
  db: Queryable,
  context: string,
  who: string,
  verbs?: readonly Verb[],
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update banyan.intents set state = 'cancelled', settled_at = clock_timestamp(),
       result = jsonb_build_object('because', 'cancelled by ' || $2::text)
     where context = $1 and state = 'pending' and ($3::text[] is null or verb = any($3))`,
    [context, who, verbs ?? null],
  )
  return (rowCount ?? 0) > 0
}

/**
 * Takes back what a flag has asked for and what has not begun: cancelled while it is pending, otherwise the mover, which
 * may be about to begin, is asked to call it off. Says whether there was such an intent. In the caller's transaction,
 * so that the audit knows of it as soon as it is so.
 */
export async function withdrawFlagIntent(
  db: Queryable,
  context: string,
  verb: 'switch' | 'rollback',
  reason: string,
): Promise<boolean> {
  const { rows } = await db.query(
    `update banyan.intents set args = args || jsonb_build_object('abort', $3::text),
       settled_at = case state when 'pending' then clock_timestamp() end,
       result = case state when 'pending' then jsonb_build_object('because', $3::text) end,
       state = case state when 'pending' then 'cancelled' else state end
     where context = $1 and verb = $2 and source = 'flag' and state in ('pending', 'running') returning state`,
    [context, verb, reason],
  )
  if (!rows[0]) return false
  if (rows[0].state === 'cancelled') {
    const line = { who: 'unleash', what: `${verb} (asked by flag)`, context, why: reason, result: 'cancelled' }
    await recordAudit(db, line)
  }
  await db.query("select pg_notify('banyan_intents', $1)", [context])
  return true
}

/** Asks the mover to let the copy that is under way stand still; the backfill that asked for it ends with that. */
export async function askPause(db: Queryable, context: string, who: string): Promise<bigint | null> {
  const { rows } = await db.query(
    `update banyan.intents set args = args || jsonb_build_object('pause', $2::text)
     where context = $1 and state in ('pending', 'running') and verb = 'backfill' returning id`,
    [context, who],
  )
  if (rows[0]) await db.query("select pg_notify('banyan_intents', $1)", [context])
  return rows[0] ? BigInt(rows[0].id) : null
}

/** Asks the mover to call off the switch or rollback that is running; says whether one is. */
export async function askAbort(db: Queryable, context: string, reason: string): Promise<bigint | null> {
  const { rows } = await db.query(
    `update banyan.intents set args = args || jsonb_build_object('abort', $2::text)
     where context = $1 and state = 'running' and verb in ('switch', 'rollback') returning id`,
    [context, reason],
  )
  if (rows[0]) await db.query("select pg_notify('banyan_intents', $1)", [context])
  return rows[0] ? BigInt(rows[0].id) : null
}

function intentOf(row: Record<string, unknown>): Intent {
  return {
    id: BigInt(String(row.id)),
    context: String(row.context),
    verb: row.verb as Verb,
    args: row.args as Record<string, unknown>,
    source: row.source as Intent['source'],
    who: String(row.who),
    why: row.why as string | null,
    state: row.state as 'pending' | 'running',
    ageMs: Number(row.age_ms),
    waitsFor: row.waits_for as string | null,
  }
}
