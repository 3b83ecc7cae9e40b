import type { FlagAdmin } from '@banyan/kit/flags/admin'
import type { Logger } from '@banyan/kit/service'
import type { Pool } from 'pg'
import type { Leadership } from '../control/leader.ts'
import type { Direction } from '../control/stored.ts'
import type { ChangesRoad } from '../data/change-lane.ts'
import type { WritesFlagsWatch } from '../flags/watch-writes-flags.ts'
import type { Sides } from '../plan/finding.ts'
import type { Plan } from '../plan/plan.ts'
import type { CopyLimits } from './copy-brake.ts'
import type { Lanes } from './lanes.ts'

/** What the mover works with for one context, for as long as it leads. Nothing here is decided by; see Seen. */
export type Runtime = {
  plan: Plan
  plans: ReadonlyMap<string, Plan>
  control: Pool
  leadership: Leadership
  sides: Sides
  lanes: Lanes
  broker: ChangesRoad
  /** Null where no Unleash is configured: flags are then neither watched nor set. */
  flags: { admin: FlagAdmin; watch: Pick<WritesFlagsWatch, 'setting'> } | null
  logger: Logger
  budgetMs: number
  /** How long the steps of an intent may keep failing before it is given up. */
  giveUpMs: number
  copyLimits: CopyLimits
  /** Milliseconds that each step of the attempt under way took, for the audit. */
  timings: Record<string, number>
  /** When a step that spans several rounds began, by this process's clock. */
  marks: { hold: number; marker?: number }
  /** When this leadership began to follow the context, by this process's clock. */
  since: number
  /** When dropped foreign keys are tried to be restored again, by this process's clock. */
  relinkAfter: number
  /** The background leaves the tables alone for a moment, while others' reads of them are watched for. */
  quiet: boolean
  /** When each lane last applied something, by this process's clock. */
  appliedAt: Record<Direction, number | null>
  /** What blocks a lane at this moment. */
  blocked: { now: string | null }
  /** What the copy waits for at this moment, for `status`. */
  copyWaitsFor: { now: string | null }
}
