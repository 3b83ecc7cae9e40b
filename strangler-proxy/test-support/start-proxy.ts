import { createServer, type Server, type ServerOptions } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Ownership } from '@banyan/kit/ownership'
import { createLogger, type TokenVerifier } from '@banyan/kit/service'
import { createPassOn, safeHeaders } from '../src/answer.ts'
import { createArrive } from '../src/arrive.ts'
import { startHealthChecks } from '../src/balance/health-checks.ts'
import { createCookies } from '../src/cookies.ts'
import type { ReadsFlag } from '../src/decide.ts'
import { createFacts } from '../src/facts.ts'
import { createForward } from '../src/forward.ts'
import { createAdmit } from '../src/gateway/admit.ts'
import { createCors } from '../src/gateway/cors.ts'
import { createHosts } from '../src/gateway/hosts.ts'
import { createRateLimiter } from '../src/gateway/rate-limit.ts'
import { createHandler } from '../src/handle.ts'
import { createHold, type HoldLimits } from '../src/hold.ts'
import { createInFlight } from '../src/in-flight.ts'
import { createProxyMetrics } from '../src/metrics.ts'
import type { OpenComparer } from '../src/mirror/comparer-thread.ts'
import { createMirror, type Mirror } from '../src/mirror/mirror.ts'
import type { Parts } from '../src/parts.ts'
import { createRecorder, type Recorder } from '../src/record/recorder.ts'
import type { OpenWriter } from '../src/record/writer-thread.ts'
import { compileRoutes } from '../src/routes/match.ts'
import { parseRoutes } from '../src/routes/parse.ts'
import { createSigner } from '../src/sign.ts'
import { createStripper } from '../src/stripped.ts'
import { createUpgrader, isWebSocket } from '../src/upgrade.ts'
import { createUpstreams } from '../src/upstreams.ts'

export const OVERRIDE_KEY = 'an override key for tests'

export interface TestProxy {
  readonly url: string
  readonly port: number
  readonly server: Server
  readonly parts: Parts
  readonly recorder: Recorder
  readonly mirror: Mirror
  /** Changes what the proxy knows of a context, as an ownership change would, and looks after who waits. */
  own(context: string, change: Partial<Ownership>): void
  leaseIs(valid: boolean): void
  close(): Promise<void>
}

export interface TestProxyOptions {
  readonly routes: string
  /** Its address, those of its instances, or null where it is gone. */
  readonly monolith: string | readonly string[] | null
  readonly services?: Readonly<Record<string, string>>
  readonly flag?: ReadsFlag
  readonly verifier?: TokenVerifier
  readonly hold?: HoldLimits
  readonly trustedHops?: number
  /** Limits of its listener; Node's own unless told. */
  readonly http?: ServerOptions
  /** How long a client may take nothing of an answer. */
  readonly untakenMs?: number
  readonly recordInto?: string
  readonly openWriter?: OpenWriter
  /** Whether a context's reads are mirrored. */
  readonly shadow?: ReadsFlag
  readonly mirrorInto?: string
  readonly maxLagMs?: number
  readonly openComparer?: OpenComparer
  /** Serves as a proxy does that has not read ownership yet. */
  readonly neverRead?: boolean
  /** Listens as a Node before 24.9 does, which takes every upgrade for a WebSocket. */
  readonly takesEveryUpgrade?: boolean
}

/** A context's record with everything at rest, and changes to it. */
export function ownershipOf(context: string, change: Partial<Ownership> = {}): Ownership {
  return {
    context,
    phase: 'idle',
    owner: 'monolith',
    hold: false,
    reads: 'flag',
    direction: null,
    epoch: 1n,
    token: 0n,
    term: 1n,
    move: 0n,
    heartbeatApplied: null,
    ...change,
  }
}

/** The proxy's whole way of a request on real sockets, with the ownership given as values instead of watched. */
export async function startProxy(options: TestProxyOptions): Promise<TestProxy> {
  const table = parseRoutes(options.routes, 'routes.yaml')
  const known = new Map(Object.keys(table.services).map((context) => [context, ownershipOf(context)]))
  let lease = true
  const cookies = createCookies(createSigner('a cookie key for tests'), { secure: false })
  const hold = createHold(options.hold ? { limits: options.hold } : {})
  const inFlight = createInFlight()
  const safe = safeHeaders({ secure: false })
  const cors = table.cors === null ? null : createCors(table.cors)
  const forward = createForward(createPassOn({ added: safe, cors, untakenMs: options.untakenMs }))
  const monoliths = options.monolith === null ? [] : [options.monolith].flat()
  const upstreams = createUpstreams(monoliths, options.services ?? {}, table.upstreams, {
    ejected: (group, _upstream, why) => parts.metrics.ejected(group, why),
    breaker: (group, to) => parts.metrics.breaker(group, to),
  })
  const checks = startHealthChecks(upstreams.groups, table.upstreams.health)
  const recorder = createRecorder({
    folder: options.recordInto,
    claims: ['role'],
    personal: table.personal,
    cookies,
    counted: (what) => metrics.recorded(what),
    logger: createLogger({ name: 'recorder under test', level: 'silent' }),
    ...(options.openWriter ? { open: options.openWriter } : {}),
  })
  const ownership = {
    get: (context: string) => known.get(context),
    leaseValid: () => lease,
    now: () => new Date(),
    refresh: async () => undefined,
    staleMs: () => (options.neverRead ? Number.POSITIVE_INFINITY : 0),
  }
  const metrics = createProxyMetrics({
    inFlight: () => inFlight.total(),
    held: () => hold.stats().waiting,
    holdLastsMs: () => hold.lastsMs(),
    staleMs: () => 0,
    leaseValid: () => lease,
    flagsStaleMs: () => 0,
    groups: () => upstreams.groups(),
  })
  const mirror = createMirror({
    ownership,
    flag: options.shadow ?? (() => false),
    address: (side, context) => upstreams.pick(side, context)?.url ?? null,
    personal: table.personal,
    rules: table.differences,
    maxLagMs: options.maxLagMs ?? 5_000,
    folder: options.mirrorInto,
    counted: metrics.mirror,
    logger: createLogger({ name: 'mirror under test', level: 'silent' }),
    ...(options.openComparer ? { open: options.openComparer } : {}),
  })
  const parts: Parts = {
    arrive: createArrive(compileRoutes(table.routes), createSigner(OVERRIDE_KEY), {
      trustedHops: options.trustedHops ?? 0,
      isStripped: createStripper(table.identity),
      isOurHost: createHosts(table.hosts),
    }),
    ownership,
    flag: options.flag ?? (() => false),
    cors,
    safe,
    admit: createAdmit({
      verifier: options.verifier ?? null,
      limiter: createRateLimiter(),
      everywhere: table.everywhere,
      limited: metrics.limited,
    }),
    gatherFacts: createFacts(cookies, options.verifier ?? null),
    cookies,
    hold,
    inFlight,
    awayReads: createInFlight(),
    bodyLimit: table.bodyLimit,
    forward,
    upstreams,
    recorder,
    mirror,
    metrics,
    logger: createLogger({ name: 'proxy under test', level: 'silent' }),
  }
  const server = createServer(
    {
      // As the proxy's own listener has it: a client that waits gives up first.
      keepAliveTimeout: 65_000,
      ...options.http,
      shouldUpgradeCallback: options.takesEveryUpgrade ? () => true : isWebSocket,
    },
    createHandler(parts),
  )
  const upgrade = createUpgrader(parts)
  server.on('upgrade', (req, socket, head) => upgrade(req, socket as Socket, head))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    server,
    parts,
    recorder,
    mirror,
    own(context, change) {
      known.set(context, { ...known.get(context)!, ...change })
      hold.update([...known.values()].filter((one) => one.hold).map((one) => one.context))
    },
    leaseIs: (valid) => {
      lease = valid
    },
    close: () =>
      new Promise((resolve) => {
        hold.close()
        checks.close()
        forward.close()
        server.close(() => {
          upstreams.close()
          void mirror.close().then(resolve)
        })
        server.closeAllConnections()
      }),
  }
}
