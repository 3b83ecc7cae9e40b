/** The gate of a process's background work, closed by the holds that the control database tells of. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../service/logger.ts'
import { watchOwnership } from './watch.ts'
import { createWorkGate, type WorkGate } from './work-gate.ts'

/** An outage of the control database must not keep a process from starting. */
const LONGEST_WAIT_MS = 3_000

/**
 * @param options.connectionString the control database; without it nothing is ever held, and nobody waits for us
 * @param options.id this process among the subscribers that a mover waits for
 * @returns the gate; close it after the workers that pass through it. `ready` resolves once movers wait for this process
 *   and a hold that stands is seen, or after 3 s without the control database: work that began earlier could be in the
 *   middle of a step, with nobody waiting for it, when its context is fenced.
 */
export function openGate(options: { connectionString: string | undefined; id: string; logger: Logger }): {
  gate: WorkGate
  ready: Promise<void>
  close(): Promise<void>
} {
  const { connectionString, id, logger } = options
  if (!connectionString)
    return { gate: createWorkGate(() => false), ready: Promise.resolve(), close: async () => undefined }
  const gate = createWorkGate((context) => watch.get(context)?.hold ?? false)
  const watch = watchOwnership({
    connectionString,
    subscriber: { id, kind: 'worker' },
    drained: (context) => gate.drained(context),
    logger,
  })
  const late = new AbortController()
  const ready = Promise.race([
    watch.ready.catch(() => undefined),
    sleep(LONGEST_WAIT_MS, undefined, { signal: late.signal }).catch(() => undefined),
  ]).finally(() => late.abort())
  return { gate, ready, close: () => watch.close() }
}
