import type { OwnershipWatch } from '@banyan/kit/ownership'
import type { Logger } from '@banyan/kit/service'
import type { SafeHeaders } from './answer.ts'
import type { Arrive } from './arrive.ts'
import type { Cookies } from './cookies.ts'
import type { ReadsFlag } from './decide.ts'
import type { GatherFacts } from './facts.ts'
import type { Forward } from './forward.ts'
import type { Admit } from './gateway/admit.ts'
import type { Cors } from './gateway/cors.ts'
import type { Hold } from './hold.ts'
import type { InFlight } from './in-flight.ts'
import type { ProxyMetrics } from './metrics.ts'
import type { Mirror } from './mirror/mirror.ts'
import type { Recorder } from './record/recorder.ts'
import type { Upstreams } from './upstreams.ts'

/** What handles requests; every part knows nothing of the others. */
export interface Parts {
  readonly arrive: Arrive
  readonly cors: Cors | null
  /** What the proxy's own answers say for browsers' sake, as those of upstreams do. */
  readonly safe: SafeHeaders
  readonly admit: Admit
  readonly ownership: Pick<OwnershipWatch, 'get' | 'leaseValid' | 'now' | 'refresh' | 'staleMs'>
  readonly flag: ReadsFlag
  readonly gatherFacts: GatherFacts
  readonly cookies: Cookies
  readonly hold: Hold
  /** Of writes. */
  readonly inFlight: InFlight
  /** Of reads that a service answers. */
  readonly awayReads: InFlight
  /** Bytes of the body of a request that no rule names; null: any number. */
  readonly bodyLimit: number | null
  readonly forward: Forward
  readonly upstreams: Upstreams
  readonly recorder: Pick<Recorder, 'listen'>
  readonly mirror: Pick<Mirror, 'answered'>
  readonly metrics: ProxyMetrics
  readonly logger: Logger
}
