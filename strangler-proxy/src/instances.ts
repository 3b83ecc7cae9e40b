import { fromPg, listInstances } from '@banyan/kit/ownership'
import type { Logger } from '@banyan/kit/service'
import type pg from 'pg'
import type { Upstreams } from './upstreams.ts'

const POLL_MS = 500

const isUsable = (url: string): boolean => URL.parse(url)?.protocol === 'http:'

/**
 * Keeps the addresses of services up to date from the instances table, for the contexts that have no fixed one.
 * While the table cannot be read, or shows nobody, the addresses known last stay: a control database that is away
 * must not take the services with it, and a dead address costs one failed connection.
 */
export function watchInstances(options: {
  readonly pool: pg.Pool
  /** Context → the name its service registers under. */
  readonly services: Readonly<Record<string, string>>
  readonly upstreams: Upstreams
  readonly logger: Logger
}): { readonly ready: Promise<void>; close(): void } {
  if (Object.keys(options.services).length === 0) return { ready: Promise.resolve(), close: () => undefined }
  const sql = fromPg(options.pool)
  let closed = false
  let timer: NodeJS.Timeout | undefined
  const poll = async () => {
    try {
      const alive = await listInstances(sql)
      for (const [context, service] of Object.entries(options.services)) {
        const urls = alive.filter((one) => one.service === service).map((one) => one.url)
        const usable = urls.filter(isUsable)
        // One instance that announces nonsense must not keep the addresses of all the others from being followed.
        for (const url of urls)
          if (!usable.includes(url)) options.logger.warn({ service, url }, 'an instance announces no http:// address')
        if (usable.length > 0) options.upstreams.setService(context, usable)
      }
    } catch (err) {
      options.logger.warn({ err }, 'the instances table could not be read; going on with the addresses known')
    }
    if (!closed) timer = setTimeout(poll, POLL_MS)
  }
  return {
    ready: poll(),
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}
