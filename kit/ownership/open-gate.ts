/** The gate of a process's background work, closed by the holds that the control database tells of. */
import type { Logger } from '../service/logger.ts'
import { watchOwnership } from './watch.ts'
import { createWorkGate, type WorkGate } from './work-gate.ts'

/**
 * @param options.connectionString the control database; without it nothing is ever held, and nobody waits for us
 * @param options.id this process among the subscribers that a mover waits for
 * @returns the gate; close it after the workers that pass through it
 */
export function openGate(options: { connectionString: string | undefined; id: string; logger: Logger }): {
  gate: WorkGate
  close(): Promise<void>
} {
  const { connectionString, id, logger } = options
  if (!connectionString) return { gate: createWorkGate(() => false), close: async () => undefined }
  const gate = createWorkGate((context) => watch.get(context)?.hold ?? false)
  const watch = watchOwnership({
    connectionString,
    subscriber: { id, kind: 'worker' },
    drained: (context) => gate.drained(context),
    logger,
  })
  return { gate, close: () => watch.close() }
}
