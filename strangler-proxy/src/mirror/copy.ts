import type { IncomingHttpHeaders } from 'node:http'
import type { Rule } from '@banyan/kit/parity/answers'
import type { Side } from '@banyan/kit/service'
import type { Taped } from '../record/exchange.ts'
import type { Sample } from './sample.ts'

/** An answer as it came. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Taped | undefined
}

/** A read that is asked of both sides: on its way to the comparer's thread. */
export interface Copy {
  readonly id: number
  readonly context: string
  /** The rule as it was written, and its path. */
  readonly rule: string
  readonly path: string
  readonly method: string
  readonly url: string
  /** As the upstream got them: cleaned. */
  readonly headers: IncomingHttpHeaders
  readonly owner: Side
  /** Where each side answers. */
  readonly at: Readonly<Record<Side, string>>
  /** What the client was answered; null for a question that an operator repeats. */
  readonly given: { readonly by: Side; readonly answer: Answer } | null
}

export type Verdict =
  | 'same'
  /** Differs where the owner varies by itself. */
  | 'noise'
  /** Differed, and no longer when asked again after the other side had caught up. */
  | 'healed'
  | 'mismatch'
  /** Differed, and the other side did not catch up in time, or the question had another answer by then. */
  | 'unsettled'
  /** A side did not answer the copy, or answered more than is compared. */
  | 'unanswered'

/** What the comparer's thread says of a copy. */
export type Told =
  /** Both differ: it goes on when the other side has applied all that the owner had when this was said. */
  | { readonly id: number; readonly wait: true }
  | { readonly id: number; readonly verdict: Verdict; readonly sample: Sample | null }

/** What the comparer's thread is told. */
export type ToComparer = Copy | { readonly id: number; readonly caughtUp: boolean }

/** What the comparer's thread is given when it starts. */
export type ComparerData = {
  readonly personal: Readonly<Record<string, readonly string[]>>
  readonly rules: readonly Rule[]
}
