import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { hostname } from 'node:os'
import { createFlags } from '@banyan/kit/flags'
import { createFlagAdmin } from '@banyan/kit/flags/admin'
import { watchOwnership } from '@banyan/kit/ownership'
import { createHealth, type Health, type Logger } from '@banyan/kit/service'
import type { Express } from 'express'
import pg from 'pg'
import { createPassOn, safeHeaders } from './answer.ts'
import { createArrive } from './arrive.ts'
import { startHealthChecks } from './balance/health-checks.ts'
import { watchNames } from './balance/names.ts'
import type { ProxyConfig } from './config.ts'
import { contextFlag } from './context-flag.ts'
import { createCookies } from './cookies.ts'
import { createFacts } from './facts.ts'
import { createForward } from './forward.ts'
import { createAdmit } from './gateway/admit.ts'
import { createCors } from './gateway/cors.ts'
import { createHosts } from './gateway/hosts.ts'
import { createRateLimiter } from './gateway/rate-limit.ts'
import { createHandler } from './handle.ts'
import { createHold } from './hold.ts'
import { createInFlight } from './in-flight.ts'
import { watchInstances } from './instances.ts'
import { readyOnce } from './known.ts'
import { createProxyMetrics } from './metrics.ts'
import { createMirror } from './mirror/mirror.ts'
import { createOpsApp } from './ops/app.ts'
import { createTraffic } from './ops/console/traffic.ts'
import type { Parts } from './parts.ts'
import { createRecorder } from './record/recorder.ts'
import { compileRoutes } from './routes/match.ts'
import type { RouteTable } from './routes/parse.ts'
import { createSigner } from './sign.ts'
import { createStripper } from './stripped.ts'
import { createUpgrader } from './upgrade.ts'
import { createUpstreams, type Upstreams } from './upstreams.ts'
import { verifierOf } from './verifier.ts'

export interface StranglerProxy {
  /** Resolves when ownership, flags and instances have been read once, or after a bound without them. */
  readonly ready: Promise<void>
  readonly handler: (req: IncomingMessage, res: ServerResponse) => void
  readonly upgrade: (req: IncomingMessage, socket: Socket, head: Buffer) => void
  readonly ops: Express
  readonly health: Health
  /** After the last request has ended. */
  close(): Promise<void>
}

/**
 * A proxy that starts while the control database or Unleash is away listens after this long. Until it has read ownership
 * it is not ready, and answers only what no rule names.
 */
const START_WITHIN_MS = 5_000
/** As long as a hold lasts: who reads a stream without end may not keep a move from being taken back. */
const AWAY_READS_MS = 8_000

/** Assembles the proxy: what it watches, what it counts, and the way of a request through it. */
export function createProxy(config: ProxyConfig, table: RouteTable, logger: Logger): StranglerProxy {
  const verifier = verifierOf(config, table.routes, logger)
  const signer = createSigner(config.COOKIE_KEY)
  const cookies = createCookies(signer, { secure: config.COOKIE_SECURE })
  const inFlight = createInFlight()
  const awayReads = createInFlight()
  const hold = createHold({ onPause: (ms) => metrics.paused(ms) })
  const pool = new pg.Pool({ connectionString: config.CONTROL_DATABASE_URL, max: 4, connectionTimeoutMillis: 2_000 })
  pool.on('error', (err) => logger.warn({ err }, 'an idle connection to the control database broke'))
  const ownership = watchOwnership({
    connectionString: config.CONTROL_DATABASE_URL,
    subscriber: { id: `proxy ${hostname()} ${randomUUID()}`, kind: 'proxy' },
    drained: (context) => inFlight.drained(context),
    readsEnded: (context) => awayReads.drained(context, AWAY_READS_MS),
    logger,
  })
  ownership.on('change', () =>
    hold.update(
      ownership
        .all()
        .filter((one) => one.hold)
        .map((one) => one.context),
    ),
  )
  const flags = createFlags({
    url: config.UNLEASH_URL,
    token: config.UNLEASH_TOKEN,
    appName: 'banyan-proxy',
    environment: config.UNLEASH_ENVIRONMENT,
    logger,
    ...(config.UNLEASH_BACKUP_PATH ? { backupPath: config.UNLEASH_BACKUP_PATH } : {}),
  })
  const traffic = createTraffic()
  const metrics = createProxyMetrics({
    answered: traffic.note,
    inFlight: () => inFlight.total(),
    held: () => hold.stats().waiting,
    holdLastsMs: () => hold.lastsMs(),
    staleMs: () => ownership.staleMs(),
    leaseValid: () => ownership.leaseValid(),
    flagsStaleMs: () => flags.freshness().lastFetchMs ?? Number.POSITIVE_INFINITY,
    groups: () => upstreams.groups(),
  })
  const upstreams = createUpstreams(config.MONOLITH_URL, config.SERVICE_URLS, table.upstreams, {
    ejected({ side, context }, { url }, why) {
      metrics.ejected({ side, context }, why)
      logger.warn({ side, context, url, why }, 'an instance gets no requests for now')
    },
    breaker({ side, context }, to) {
      metrics.breaker({ side, context }, to)
      logger.warn({ side, context, to }, 'the breaker in front of a side')
    },
  })
  const checks = startHealthChecks(upstreams.groups, table.upstreams.health)
  const names = watchNames({ named: namesOf(config, upstreams), logger })
  const instances = watchInstances({ pool, services: withoutAddress(table.services, config), upstreams, logger })
  const safe = safeHeaders({ secure: config.COOKIE_SECURE })
  const cors = table.cors === null ? null : createCors(table.cors)
  const forward = createForward(createPassOn({ added: safe, cors }))
  const recorder = createRecorder({
    folder: config.RECORD_FOLDER,
    claims: config.RECORD_CLAIMS,
    personal: table.personal,
    cookies,
    counted: (what) => metrics.recorded(what),
    logger,
  })
  const mirror = createMirror({
    ownership,
    flag: contextFlag(flags, 'shadow'),
    address: (side, context) => upstreams.pick(side, context)?.url ?? null,
    personal: table.personal,
    rules: table.differences,
    maxLagMs: config.MIRROR_MAX_LAG_MS,
    folder: config.MIRROR_FOLDER,
    counted: metrics.mirror,
    logger,
  })
  const match = compileRoutes(table.routes)
  const parts: Parts = {
    arrive: createArrive(match, createSigner(config.OVERRIDE_KEY), {
      trustedHops: config.TRUSTED_HOPS,
      isStripped: createStripper(table.identity),
      isOurHost: createHosts(table.hosts),
    }),
    cors,
    safe,
    admit: createAdmit({
      verifier,
      limiter: createRateLimiter(),
      everywhere: table.everywhere,
      limited: metrics.limited,
    }),
    ownership,
    flag: contextFlag(flags, 'reads'),
    gatherFacts: createFacts(cookies, verifier),
    cookies,
    hold,
    inFlight,
    awayReads,
    bodyLimit: table.bodyLimit,
    forward,
    upstreams,
    recorder,
    mirror,
    metrics,
    logger,
  }
  const health = readyOnce(ownership.ready, createHealth())
  const contexts = Object.keys(table.services)
  const sources = { ownership, flags, hold, inFlight, upstreams, recorder, mirror, match, contexts }
  const ops = createOpsApp({
    ...{
      sources,
      pool,
      token: config.OPS_TOKEN,
      trustedHops: config.OPS_TRUSTED_HOPS,
      logger,
      health,
      metrics: metrics.http,
    },
    console: {
      operators: config.CONSOLE_OPERATORS,
      sessionMs: config.CONSOLE_SESSION_MINUTES * 60_000,
      secure: config.COOKIE_SECURE,
      signer,
      traffic,
      flagAdmin: flagAdminOf(config),
    },
  })
  return {
    ready: within(START_WITHIN_MS, Promise.allSettled([ownership.ready, flags.ready, instances.ready, names.ready])),
    handler: createHandler(parts),
    upgrade: createUpgrader(parts),
    ops: ops.app,
    health,
    async close() {
      ops.close()
      hold.close()
      instances.close()
      names.close()
      checks.close()
      await Promise.allSettled([
        ownership.close(),
        flags.close(),
        pool.end(),
        recorder.stop('the proxy ends'),
        mirror.close(),
      ])
      forward.close()
      upstreams.close()
    },
  }
}

function flagAdminOf({
  UNLEASH_URL: url,
  UNLEASH_ADMIN_TOKEN: adminToken,
  UNLEASH_ENVIRONMENT: environment,
}: ProxyConfig) {
  return adminToken === undefined ? null : createFlagAdmin({ url, adminToken, environment })
}

function withoutAddress(services: Readonly<Record<string, string>>, config: ProxyConfig) {
  return Object.fromEntries(Object.entries(services).filter(([context]) => !(context in config.SERVICE_URLS)))
}

/** The configured addresses, with where those behind their names go. */
function namesOf({ MONOLITH_URL, SERVICE_URLS }: ProxyConfig, upstreams: Upstreams) {
  return [
    { urls: MONOLITH_URL, set: (urls: readonly string[]) => upstreams.setMonolith(urls) },
    ...Object.entries(SERVICE_URLS).map(([context, url]) => ({
      urls: [url],
      set: (urls: readonly string[]) => upstreams.setService(context, urls),
    })),
  ]
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const bound = Promise.withResolvers<void>()
  const timer = setTimeout(bound.resolve, ms)
  await Promise.race([work, bound.promise])
  clearTimeout(timer)
}
