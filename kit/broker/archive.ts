import type { Topology } from './port.ts'
import { EVENTS_EXCHANGE, quorumQueue } from './topology.ts'

/**
 * A queue that keeps a copy of every event for a while. Events are published before anybody asks for them, and the
 * relay takes an event that no queue is bound for as not delivered; with an archive bound to everything each is, and a
 * consumer that comes later finds the last ones to look at.
 * @param options.keepMs how long one is kept, 24 hours unless told
 * @param options.keepMessages how many at most, the oldest go first; 100,000 unless told
 */
export function eventArchive(
  options: { queue?: string; exchange?: string; keepMs?: number; keepMessages?: number } = {},
): Topology {
  const { queue = 'banyan.archive', exchange = EVENTS_EXCHANGE } = options
  const limits = {
    'x-message-ttl': options.keepMs ?? 24 * 3_600_000,
    'x-max-length': options.keepMessages ?? 100_000,
    'x-overflow': 'drop-head',
  }
  return {
    exchanges: [{ exchange, type: 'topic' }],
    queues: [quorumQueue(queue, limits)],
    bindings: [{ exchange, queue, routingKey: '#' }],
  }
}
