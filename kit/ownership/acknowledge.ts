/** A subscriber's side of the bargain: a lease on every context, and an epoch acknowledged only once it is drained. */
import type { Logger } from '../service/logger.ts'
import type { Ownership } from './ownership.ts'
import type { Query } from './session.ts'

type Seen = {
  epoch: bigint
  hold: boolean
  /** What must have ended here before the epoch is acknowledged, and where that stands. */
  awaits: 'nothing' | 'writes' | 'reads'
  drain: 'none' | 'running' | 'done' | 'failed'
  /** Counts what was awaited, so that the end of an earlier drain is not taken for this one's. */
  serial: number
  /** What the table was told last. */
  told: { epoch: bigint; drained: boolean } | undefined
}

export type Acknowledger = {
  /** Registers or renews, on every context there is. `fresh`: forget what this id acknowledged before. */
  renew(query: Query, leaseMs: number, fresh: boolean): Promise<void>
  /** Whether one of the contexts has no row of ours yet. */
  unregistered(contexts: Iterable<string>): boolean
  saw(contexts: readonly Ownership[]): void
  /** Writes what may be acknowledged by now. */
  flush(query: Query): Promise<void>
  leave(query: Query): Promise<void>
  stop(): void
}

/** @param options.wake Called when there is something to flush. */
export function createAcknowledger(options: {
  subscriber: { id: string; kind: 'proxy' | 'worker' }
  drained: ((context: string) => Promise<void>) | undefined
  readsEnded: ((context: string) => Promise<void>) | undefined
  wake(): void
  logger: Logger
}): Acknowledger {
  const { subscriber, logger } = options
  const contexts = new Map<string, Seen>()
  let registered = new Set<string>()
  let stopped = false

  const startDrain = (context: string, seen: Seen): void => {
    const { serial, awaits } = seen
    const settle = (drain: 'done' | 'failed') => {
      if (stopped || seen.serial !== serial) return
      seen.drain = drain
      if (drain === 'done') options.wake()
    }
    seen.drain = 'running'
    Promise.resolve()
      .then(() => (awaits === 'writes' ? options.drained?.(context) : options.readsEnded?.(context)))
      .then(
        () => settle('done'),
        (err) => {
          logger.error({ err, context }, 'draining failed; asked again at the next poll')
          settle('failed')
        },
      )
  }

  const awaited = ({ hold, phase }: Ownership): Seen['awaits'] => {
    if (hold) return 'writes'
    // A move that is taken back empties the service's tables, once everybody has acknowledged that.
    return phase === 'idle' && options.readsEnded ? 'reads' : 'nothing'
  }

  const note = (now: Ownership): void => {
    const { context, epoch, hold } = now
    const awaits = awaited(now)
    const seen = contexts.get(context) ?? { epoch, hold, awaits, drain: 'none', serial: 0, told: undefined }
    contexts.set(context, seen)
    if (awaits !== seen.awaits) {
      seen.serial++
      seen.drain = 'none'
    }
    seen.awaits = awaits
    seen.epoch = epoch
    seen.hold = hold
    if (awaits !== 'nothing' && (seen.drain === 'none' || seen.drain === 'failed')) startDrain(context, seen)
  }

  return {
    async renew(query, leaseMs, fresh) {
      if (fresh) for (const seen of contexts.values()) seen.told = undefined
      const rows = await query(
        `insert into banyan.subscribers as s (id, kind, context, lease_until)
         select $1, $2, context, clock_timestamp() + $3 * interval '1 ms' from banyan.contexts
         on conflict (id, context) do update set lease_until = excluded.lease_until, kind = excluded.kind,
           epoch_seen = case when $4 then 0 else s.epoch_seen end, drained = s.drained and not $4
         returning context, epoch_seen::text as epoch_seen`,
        [subscriber.id, subscriber.kind, leaseMs, fresh],
      )
      registered = new Set(rows.map((row) => row.context as string))
      // A row that was removed meanwhile is back without what it had acknowledged.
      for (const row of rows) {
        const seen = contexts.get(row.context as string)
        if (seen?.told && seen.told.epoch !== BigInt(row.epoch_seen as string)) seen.told = undefined
      }
    },
    unregistered: (all) => [...all].some((context) => !registered.has(context)),
    saw(all) {
      for (const one of all) note(one)
    },
    async flush(query) {
      for (const [context, seen] of contexts) {
        if (seen.awaits !== 'nothing' && seen.drain !== 'done') continue
        const { epoch, hold: drained } = seen
        if (seen.told?.epoch === epoch && seen.told.drained === drained) continue
        await query('update banyan.subscribers set epoch_seen = $3, drained = $4 where id = $1 and context = $2', [
          subscriber.id,
          context,
          String(epoch),
          drained,
        ])
        seen.told = { epoch, drained }
      }
    },
    async leave(query) {
      await query('delete from banyan.subscribers where id = $1', [subscriber.id])
    },
    stop() {
      stopped = true
    },
  }
}
