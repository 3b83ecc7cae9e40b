import { DEAD_EXCHANGE, type Headers, type IncomingMessage, type Publisher } from '../broker/index.ts'

/**
 * failed: its handler failed every time · poison: it was begun and never ended, as if it killed the process ·
 * unreadable: no event · no-handler: nobody here handles its type
 */
export type DeadReason = 'failed' | 'poison' | 'unreadable' | 'no-handler'

export interface Verdict {
  reason: DeadReason
  attempts: number
  error: string
}

const PREFIX = 'x-banyan-'
const ERROR_LENGTH = 2_000

/**
 * Resolves when the message, with what became of it, is safe in the dead-letter queue. Only then may it be
 * acknowledged; a crash in between makes two dead letters, and the inbox makes one effect of them when replayed.
 */
export async function sendToDeadLetters(
  publisher: Publisher,
  queue: string,
  message: IncomingMessage,
  { reason, attempts, error }: Verdict,
): Promise<void> {
  await publisher.publish({
    exchange: DEAD_EXCHANGE,
    routingKey: queue,
    messageId: message.messageId ?? crypto.randomUUID(),
    contentType: message.contentType,
    body: message.body,
    headers: {
      ...carriedHeaders(message.headers),
      [`${PREFIX}queue`]: queue,
      [`${PREFIX}reason`]: reason,
      [`${PREFIX}attempts`]: attempts,
      // Headers have to fit into one frame.
      [`${PREFIX}error`]: error.slice(0, ERROR_LENGTH),
      [`${PREFIX}dead-at`]: new Date().toISOString(),
    },
  })
}

/** What a message keeps when it is published again: neither the broker's counters nor our own remarks. */
export function carriedHeaders(headers: Record<string, unknown>): Headers {
  const carried: Headers = {}
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith('x-')) continue
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') carried[name] = value
  }
  return carried
}

/** A remark left by {@link sendToDeadLetters}. */
export function remark(headers: Record<string, unknown>, name: 'reason' | 'attempts' | 'error' | 'dead-at'): unknown {
  return headers[PREFIX + name]
}
