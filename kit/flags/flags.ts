/** Unleash's decisions, whatever becomes of Unleash. */
import { randomUUID } from 'node:crypto'
import { Unleash } from 'unleash-client'
import type { Logger } from '../service/logger.ts'
import { createBackup } from './backup.ts'
import { type Definition, toDefinition } from './definition.ts'
import { fetchFeatures } from './fetch-features.ts'
import type { Feature } from './payload.ts'
import { FlagRepository, type Freshness } from './repository.ts'

export type FlagsOptions = {
  /** Unleash's API, ending in `/api`. */
  url: string
  /** A client token; it belongs to one environment. */
  token: string
  appName: string
  environment: string
  /** Milliseconds between questions; 300 unless told: Unleash itself looks once a second for what has changed. */
  refreshMs?: number
  /** A directory that keeps the last known flags over restarts. */
  backupPath?: string
  /** Flags to begin with where there is neither Unleash nor a backup. */
  bootstrap?: readonly Feature[]
  /** Report to Unleash which flags were evaluated, each minute; on unless told. */
  metrics?: boolean
  logger: Logger
}

export type Flags = {
  /** Resolves after the first question to Unleash, however it ended: an absent Unleash delays no start. */
  readonly ready: Promise<void>
  /** The SDK's own decision; false for an unknown flag. */
  isOn(flag: string, who: { userId?: string | undefined; sessionId?: string | undefined }): boolean
  /** Percent of users it is on for; null for an unknown flag and where one number cannot say it. */
  share(flag: string): number | null
  /** Null for a flag that is unknown or archived. */
  definition(flag: string): Definition | null
  freshness(): Freshness
  /** @returns Takes the listener away. */
  on(event: 'change', listener: () => void): () => void
  close(): Promise<void>
}

/** Decides flags by unleash-client, on what Unleash said last. */
export function createFlags(options: FlagsOptions): Flags {
  const { url, token, appName, logger, refreshMs = 300 } = options
  const instanceId = randomUUID()
  const repository = new FlagRepository({
    fetch: (etag, signal) => fetchFeatures({ url, token, appName, instanceId, refreshMs, etag, signal }),
    refreshMs,
    backup: options.backupPath ? createBackup(options.backupPath, appName) : undefined,
    bootstrap: options.bootstrap,
    logger,
  })
  const unleash = new Unleash({
    url,
    appName,
    instanceId,
    environment: options.environment,
    customHeaders: { Authorization: token },
    disableMetrics: options.metrics === false,
    skipInstanceCountWarning: true,
    repository,
  })
  // Without listeners the SDK writes to the console; what these say is in `freshness` already.
  unleash.on('error', (err) => logger.debug({ err }, 'unleash-client'))
  unleash.on('warn', (message) => logger.debug({ message }, 'unleash-client'))

  return {
    ready: repository.settled,
    isOn(flag, { userId, sessionId }) {
      // On or off for everybody, as most flags are most of the time: it is counted, and nobody is looked at.
      const share = repository.share(flag)
      if (share === undefined || share === 0 || share === 100) {
        unleash.count(flag, share === 100)
        return share === 100
      }
      const context = { ...(userId ? { userId } : {}), ...(sessionId ? { sessionId } : {}) }
      return unleash.isEnabled(flag, context, false)
    },
    share(flag) {
      return repository.share(flag) ?? null
    },
    definition(flag) {
      const feature = repository.getToggle(flag)
      return feature ? toDefinition(feature) : null
    },
    freshness: () => repository.freshness(),
    on(_change, listener) {
      unleash.on('changed', listener)
      return () => unleash.off('changed', listener)
    },
    async close() {
      unleash.destroy()
      await repository.stopped()
    },
  }
}
