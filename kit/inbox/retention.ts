export interface Retention {
  /** How long the publishers' outboxes keep published rows. @default 7 days */
  outboxMs: number
  /** How old an event may be that someone replays. @default 14 days */
  replayHorizonMs: number
  /** How long the inbox knows what was handled. @default the sum of both */
  inboxMs: number
}

const DAY_MS = 24 * 3_600_000

/** @throws RangeError when the inbox would forget an event that can still come again, and handle it twice */
export function checkRetention(given: Partial<Retention>): Retention {
  const { outboxMs = 7 * DAY_MS, replayHorizonMs = 14 * DAY_MS } = given
  const least = outboxMs + replayHorizonMs
  const { inboxMs = least } = given
  if (!(inboxMs >= least)) {
    throw new RangeError(
      `retention: the inbox would forget after ${inboxMs} ms what can come again for ${least} ms ` +
        `(outbox ${outboxMs} + replay horizon ${replayHorizonMs}); raise inboxMs or lower the others`,
    )
  }
  return { outboxMs, replayHorizonMs, inboxMs }
}
