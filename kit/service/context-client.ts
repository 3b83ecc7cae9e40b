/** Calls to a context, whoever owns it at the moment: what was refused was not done, so the other side is asked. */
import type { Answer } from './attempt.ts'
import { NotSent } from './call-errors.ts'
import type { Call, Caller } from './caller.ts'
import { isRefusal, type Side } from './refusal.ts'

export type ContextClient = {
  /**
   * Calls the owner. A refusal (421 or 503 with `Banyan-Refused`) is sent again, whatever its method, after a refresh,
   * until the deadline; then the last refusal is returned, with which still nothing was done. What could not be sent
   * goes to the other side if the context has moved there meanwhile.
   * @throws NotSent with the reason `owner-is-here` when the owner has no caller: do it locally; else as `Caller.call`.
   */
  call(call: Call): Promise<Answer>
}

const DEADLINE_MS = 5_000
const PAUSE_MS = { first: 10, most: 100 }

/**
 * @param options.sides A caller a side; a process leaves itself out.
 * @param options.currentOwner What ownership says now, as far as known.
 * @param options.refresh Reads ownership again.
 */
export function createContextClient(options: {
  context: string
  sides: Partial<Record<Side, Caller>>
  currentOwner(): Side
  refresh(): Promise<unknown>
  /** For calls that name none; 5,000 ms unless told. */
  deadlineMs?: number
}): ContextClient {
  return {
    async call(call) {
      const end = performance.now() + (call.deadlineMs ?? options.deadlineMs ?? DEADLINE_MS)
      let pause = PAUSE_MS.first
      for (;;) {
        const side = options.currentOwner()
        const caller = options.sides[side]
        if (!caller)
          throw new NotSent(
            { callee: `${options.context} (${side})`, method: call.method, path: call.path },
            'owner-is-here',
          )
        const outcome = await caller.call({ ...call, deadlineMs: end - performance.now() }).catch(notSent)
        if (!(outcome instanceof NotSent) && !isRefusal(outcome)) return outcome
        if (performance.now() + pause < end) await options.refresh()
        const moved = options.currentOwner() !== side
        // The other side is asked at once; the same one only after a breath, and not where it cannot be reached at all.
        if (outcome instanceof NotSent && !moved) throw outcome
        if (performance.now() + (moved ? 0 : pause) >= end) return giveUp(outcome)
        if (!moved) {
          await new Promise((resolve) => setTimeout(resolve, pause))
          pause = Math.min(pause * 2, PAUSE_MS.most)
        }
      }
    },
  }
}

function notSent(error: unknown): NotSent {
  if (error instanceof NotSent) return error
  throw error
}

function giveUp(outcome: Answer | NotSent): Answer {
  if (outcome instanceof NotSent) throw outcome
  return outcome
}
