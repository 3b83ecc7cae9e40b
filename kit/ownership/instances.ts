/** Which processes there are, where and of which build: each keeps a row of `banyan.instances` fresh. */
import type { Logger } from '../service/logger.ts'
import type { Sql } from '../sql.ts'
import { keepSession, type Session } from './session.ts'

export type Instance = {
  readonly service: string
  readonly id: string
  readonly url: string
  readonly startedAt: Date
  readonly heartbeatAt: Date
  /** What it runs; null for one that does not say. */
  readonly build: string | null
}

const HEARTBEAT_MS = 1_000

/**
 * Announces this process and keeps announcing it, each second, through outages of the control database.
 * @param options.url Where others reach it.
 * @param options.build What it runs (`buildOf` of the service folder); a switch asks for parity of just that.
 * @returns `close` takes the row away: call it first of all when stopping.
 */
export function registerInstance(options: {
  connectionString: string
  service: string
  id: string
  url: string
  build?: string | undefined
  logger: Logger
}): { close(): Promise<void> } {
  const { service, id, url, build = null } = options
  const work = async ({ query, idle }: Session): Promise<void> => {
    for (;;) {
      await query(
        `insert into banyan.instances (service, id, url, build) values ($1, $2, $3, $4)
         on conflict (service, id) do update set url = excluded.url, build = excluded.build,
           heartbeat_at = clock_timestamp()`,
        [service, id, url, build],
      )
      await idle(HEARTBEAT_MS)
    }
  }
  const name = `banyan instance ${id}`
  const keeper = keepSession({ connectionString: options.connectionString, name, logger: options.logger, work })
  return {
    close: () =>
      keeper.close((query) => query('delete from banyan.instances where service = $1 and id = $2', [service, id])),
  }
}

/**
 * @param options.service Only this service's instances; all unless told.
 * @param options.freshMs How old a heartbeat may be; 5,000 ms unless told.
 * @returns Living instances, the longest-lived first.
 */
export async function listInstances(
  sql: Sql,
  options: { service?: string; freshMs?: number } = {},
): Promise<Instance[]> {
  const { rows } = await sql.raw(
    `select service, id, url, started_at, heartbeat_at, build from banyan.instances
     where heartbeat_at > clock_timestamp() - ? * interval '1 ms' and service = coalesce(?, service)
     order by service, started_at, id`,
    [options.freshMs ?? 5_000, options.service ?? null],
  )
  return rows.map((row) => ({
    service: row.service,
    id: row.id,
    url: row.url,
    startedAt: row.started_at,
    heartbeatAt: row.heartbeat_at,
    build: row.build,
  }))
}
