/**
 * Where the SDK finds its flags. It replaces the SDK's own polling, which stops for good after a 401 or 403, applies an
 * empty payload like any other, backs off to eleven times its interval and cannot say how old its knowledge is. The
 * decisions stay the SDK's.
 */
import { EventEmitter } from 'node:events'
import type { UnleashConfig } from 'unleash-client'
import type { Logger } from '../service/logger.ts'
import type { Backup } from './backup.ts'
import { shareOf } from './definition.ts'
import type { Fetched } from './fetch-features.ts'
import { type Feature, isSuspiciouslyEmpty, type Payload } from './payload.ts'

type SdkRepository = NonNullable<UnleashConfig['repository']>

export type Freshness = {
  /** Milliseconds since Unleash last confirmed what is known here; null if it never has. */
  readonly lastFetchMs: number | null
  /** Whether the last question was answered, and the answer accepted. */
  readonly ok: boolean
  readonly error: string | null
  /** Where what is known came from. */
  readonly source: 'unleash' | 'backup' | 'bootstrap' | 'none'
}

type RepositoryOptions = {
  /** @param etag Of what is known; absent to get everything. */
  fetch(etag: string | undefined, signal: AbortSignal): Promise<Fetched>
  refreshMs: number
  backup: Backup | undefined
  bootstrap: readonly Feature[] | undefined
  logger: Logger
}

const BACKOFF_MOST_MS = 5_000
/** Revisions start again in a restored Unleash, so an old ETag may match something new: now and then, ask for all. */
const WHOLE_EVERY = 50

/** Emits `changed` when what is known changes, and what the SDK itself wants: `ready`, `unchanged`, `error`. */
export class FlagRepository extends EventEmitter implements SdkRepository {
  /** Resolves after the backup, the bootstrap and the first question, however that ended. */
  readonly settled: Promise<void>
  #options: RepositoryOptions
  #settle = Promise.withResolvers<void>()
  #stopping = new AbortController()
  #running: Promise<void> | undefined
  #known: Payload | undefined
  #features = new Map<string, Feature>()
  #shares = new Map<string, number | null>()
  #text = ''
  #saved = ''
  #source: Freshness['source'] = 'none'
  #etag: string | undefined
  #confirmedAt: number | undefined
  #error: string | null = 'not asked yet'

  constructor(options: RepositoryOptions) {
    super()
    this.#options = options
    this.settled = this.#settle.promise
  }

  async start(): Promise<void> {
    this.#running ??= this.#run()
    await this.settled
  }

  stop(): void {
    this.#stopping.abort()
    this.#settle.resolve()
  }

  /** Resolves once nothing is under way any more. */
  async stopped(): Promise<void> {
    await this.#running
  }

  freshness(): Freshness {
    const since = this.#confirmedAt === undefined ? null : performance.now() - this.#confirmedAt
    return { lastFetchMs: since, ok: this.#error === null, error: this.#error, source: this.#source }
  }

  getToggle(name: string): Feature | undefined {
    return this.#features.get(name)
  }

  /** Percent of users, as `shareOf` has it; undefined for an unknown flag. */
  share(name: string): number | null | undefined {
    return this.#shares.get(name)
  }

  getToggles(): Feature[] {
    return [...this.#features.values()]
  }

  getSegment(id: number): NonNullable<Payload['segments']>[number] | undefined {
    return this.#known?.segments?.find((segment) => segment.id === id)
  }

  getTogglesWithSegmentData(): ReturnType<SdkRepository['getTogglesWithSegmentData']> {
    return this.getToggles().map(({ strategies, ...feature }) => ({
      ...feature,
      strategies:
        strategies?.map(({ segments, ...strategy }) => ({
          ...strategy,
          segments: segments?.map((id) => this.getSegment(id)) ?? [],
        })) ?? [],
    }))
  }

  async #run(): Promise<void> {
    await this.#recall()
    let failures = 0
    for (let asked = 0; !this.#stopping.signal.aborted; asked++) {
      const ok = await this.#ask(asked % WHOLE_EVERY === 0 ? undefined : this.#etag)
      failures = ok ? 0 : failures + 1
      this.#settle.resolve()
      const { refreshMs } = this.#options
      await this.#pause(failures === 0 ? refreshMs : Math.min(refreshMs * 2 ** (failures - 1), BACKOFF_MOST_MS))
    }
  }

  /** What was known when the process last ran, else what came with it. */
  async #recall(): Promise<void> {
    const { backup, bootstrap, logger } = this.#options
    const saved = await backup?.read().catch((err) => {
      logger.warn({ err }, 'the backup of the flags cannot be read')
      return undefined
    })
    if (saved) this.#apply(saved, 'backup')
    else if (bootstrap) this.#apply({ features: [...bootstrap] }, 'bootstrap')
  }

  async #ask(etag: string | undefined): Promise<boolean> {
    try {
      const fetched = await this.#options.fetch(etag, this.#stopping.signal)
      if (fetched !== 'unchanged') {
        if (isSuspiciouslyEmpty(fetched.payload, this.#known))
          throw new Error('empty: Unleash knows no flag any more; the last known ones are kept')
        this.#etag = fetched.etag
        this.#apply(fetched.payload, 'unleash')
        await this.#save(fetched.payload)
      }
      if (this.#error !== null && this.#confirmedAt !== undefined) this.#options.logger.info('flags are fresh again')
      this.#error = null
      this.#confirmedAt = performance.now()
      this.emit('unchanged')
      return true
    } catch (error) {
      if (this.#stopping.signal.aborted) return false
      const message = error instanceof Error ? error.message : String(error)
      if (this.#error !== message) this.#options.logger.warn({ err: error }, 'flags are not fresh')
      this.#error = message
      // A server that answers differently now must be asked for everything.
      this.#etag = undefined
      return false
    }
  }

  #apply(payload: Payload, source: Freshness['source']): void {
    const text = JSON.stringify(payload)
    this.#source = source
    if (text === this.#text && this.#known) return
    this.#text = text
    this.#known = payload
    this.#features = new Map(payload.features.map((feature) => [feature.name, feature]))
    this.#shares = new Map(payload.features.map((feature) => [feature.name, shareOf(feature)]))
    this.emit('ready')
    this.emit('changed', this.getToggles())
  }

  async #save(payload: Payload): Promise<void> {
    if (this.#saved === this.#text) return
    this.#saved = this.#text
    await this.#options.backup?.write(payload).catch((err) => {
      this.#options.logger.warn({ err }, 'the backup of the flags cannot be written')
    })
  }
  async #pause(ms: number): Promise<void> {
    const { signal } = this.#stopping
    if (signal.aborted) return
    const over = Promise.withResolvers<void>()
    const timer = setTimeout(over.resolve, ms)
    signal.addEventListener('abort', () => over.resolve(), { once: true })
    await over.promise
    clearTimeout(timer)
  }
}
