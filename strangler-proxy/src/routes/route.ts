import type { Rate } from '../gateway/rate-limit.ts'

/** One rule of the route table, checked and with its defaults filled in. */
export interface Route {
  /** The rule as it was written, for logs and errors. */
  readonly name: string
  readonly methods: readonly string[]
  readonly path: string
  readonly context: string
  readonly access: 'read' | 'write'
  /** Every context a request of this rule may write: a hold on any of them holds it. Empty for reads. */
  readonly writes: readonly string[]
  readonly auth: 'required' | 'optional'
  /** Bytes a request's body may have; null: streamed without a limit. */
  readonly bodyLimit: number | null
  /** How many requests of this rule an address, or an account, may send; null: any number. */
  readonly rates: { readonly address: Rate | null; readonly account: Rate | null }
  /** Milliseconds a client waits at most for the first byte of the answer, holds and resends included. */
  readonly deadlineMs: number
  /** When a request whose fate is unknown may be sent a second time. What was refused is sent again in any case. */
  readonly resend: 'never' | 'idempotency-key' | 'always'
  /** Line of the rule in its file, counted from 1. */
  readonly line: number
}

/** Milliseconds for requests that no rule names. */
export const UNROUTED_DEADLINE_MS = 30_000
