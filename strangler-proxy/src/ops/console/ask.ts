import { Problem } from '@banyan/kit/service'
import type pg from 'pg'
import { isOutdated, OUTDATED } from './read-control.ts'

type Asking = { readonly context: string; readonly who: string; readonly why: string }

/**
 * Asks the mover for a switch or rollback, as `banyan` does. Whether its turn has come says the mover; what it waits for
 * is shown then.
 * @returns the intent's id
 * @throws Problem where nobody would carry it out, or another intent is open
 */
export async function askAtConsole(
  pool: pg.Pool,
  asking: Asking & { readonly verb: 'switch' | 'rollback'; readonly withoutParity: boolean },
): Promise<string> {
  const { context, verb, who, why, withoutParity } = asking
  const { mover, open } = await ofControl(() => stateOf(pool, context))
  if (!mover)
    throw new Problem(409, 'no-mover', `No mover is running, so nobody would carry out the ${verb}: banyan run.`)
  const { rows } = await ofControl(() =>
    pool.query('select banyan.ask_at_console($1, $2, $3, $4, $5)::text as id', [
      context,
      verb,
      who,
      why,
      withoutParity,
    ]),
  )
  if (rows[0].id !== null) return rows[0].id
  const other = open ? `the ${open.verb} that ${open.who} asked for` : 'what is asked for already'
  throw new Problem(409, 'refused', `The ${verb} waits for ${other} to end.`)
}

/**
 * Takes back what waits for its turn, and asks the mover to call off what it has begun.
 * @throws Problem where there is nothing to call off
 */
export async function callOffAtConsole(pool: pg.Pool, { context, who, why }: Asking): Promise<string> {
  const { rows } = await ofControl(() =>
    pool.query('select banyan.call_off_at_console($1, $2, $3) as state', [context, who, why]),
  )
  if (rows[0].state !== null) return rows[0].state
  throw new Problem(409, 'refused', `No switch or rollback of ${context} is under way.`)
}

type State = { mover: boolean; open: { verb: string; who: string } | null }

async function stateOf(pool: pg.Pool, context: string): Promise<State> {
  const { rows } = await pool.query('select banyan.console_state() as state')
  const { mover, contexts } = rows[0].state
  const found = (contexts as { context: string; intent: State['open'] }[]).find((one) => one.context === context)
  return { mover, open: found?.intent ?? null }
}

async function ofControl<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isOutdated(error)) throw new Problem(503, 'control-outdated', OUTDATED, { cause: error })
    throw error
  }
}
