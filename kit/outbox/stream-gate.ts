// What may be published while some streams are in trouble. Pure: told what happened, asked what may go on.

import type { PublishFault } from '../broker/errors.ts'

interface Trouble {
  fault: PublishFault
  type: string
  failures: number
  retryAt: number
  /** The one row of the stream that is on its way, if any. */
  probe: string | undefined
  /** Its cause seems gone: it need not queue for a probe. */
  eager: boolean
}

export interface GateOptions {
  /** First pause of a stream after a failure, doubled with each further one. @default 250 */
  baseMs?: number
  /** @default 5000 */
  maxMs?: number
  /** Probes under way at most, so that thousands of streams without a queue do not become the main load. @default 50 */
  probes?: number
  /** With this many streams in trouble no others are read: the rest can wait, memory cannot. @default 10000 */
  capacity?: number
}

export interface Selection {
  /** Streams to leave out. */
  except: string[]
  /** The only streams to read, once capacity is reached. */
  only: string[] | undefined
}

interface Sent {
  id: string
  stream: string
  type: string
}

export interface StreamGate {
  select(now: number): Selection
  /** Whether this row may go now; rows have to be offered in the order of their ids. */
  admit(row: Sent): boolean
  /** Every admitted row has to be settled by one of these two. */
  confirmed(row: Sent): void
  failed(row: Sent, fault: PublishFault, now: number): void
  size(): number
}

/**
 * A stream whose row was not confirmed pauses as a whole, for longer each time, and then has one row under way at a
 * time until one is confirmed: a later row must not overtake the one that failed.
 */
export function createStreamGate(options: GateOptions = {}): StreamGate {
  const { baseMs = 250, maxMs = 5_000, probes = 50, capacity = 10_000 } = options
  const troubles = new Map<string, Trouble>()
  const underWay = new Map<string, number>()
  let chosen = new Set<string>()

  return {
    select(now) {
      let budget = probes
      for (const trouble of troubles.values()) if (trouble.probe !== undefined && !trouble.eager) budget--
      chosen = new Set()
      const except: string[] = []
      for (const [stream, trouble] of troubles) {
        const due = trouble.probe === undefined && trouble.retryAt <= now && (trouble.eager || budget > 0)
        if (due) {
          if (!trouble.eager) budget--
          chosen.add(stream)
        } else {
          except.push(stream)
        }
      }
      return { except, only: troubles.size >= capacity ? [...chosen] : undefined }
    },

    admit({ id, stream }) {
      const trouble = troubles.get(stream)
      if (trouble) {
        if (underWay.has(stream) || !chosen.delete(stream)) return false
        trouble.probe = id
      }
      underWay.set(stream, (underWay.get(stream) ?? 0) + 1)
      return true
    },

    confirmed({ id, stream, type }) {
      settled(stream)
      const trouble = troubles.get(stream)
      // Not those of its rows that were on their way already when it failed: they prove nothing.
      if (trouble?.probe !== id) return
      troubles.delete(stream)
      if (trouble.fault !== 'returned') return
      // A queue was bound for this type: all who waited for that can go.
      for (const other of troubles.values()) {
        if (other.fault === 'returned' && other.type === type) Object.assign(other, { retryAt: 0, eager: true })
      }
    },

    failed({ id, stream, type }, fault, now) {
      settled(stream)
      const trouble = troubles.get(stream)
      // Rows that were under way together fail together; that is one failure of the stream.
      if (trouble && trouble.probe !== id) return
      const failures = (trouble?.failures ?? 0) + 1
      const retryAt = now + Math.min(maxMs, baseMs * 2 ** (failures - 1))
      troubles.set(stream, { fault, type, failures, retryAt, probe: undefined, eager: false })
    },

    size: () => troubles.size,
  }

  function settled(stream: string): void {
    const left = (underWay.get(stream) ?? 0) - 1
    if (left > 0) underWay.set(stream, left)
    else underWay.delete(stream)
  }
}
