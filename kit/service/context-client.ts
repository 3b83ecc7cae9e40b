/** Calls to a context, whoever owns it at the moment: what was refused was not done, so the other side is asked. */
import type { Answer } from './attempt.ts'
import { NotSent } from './call-errors.ts'
import type { Call, Caller } from './caller.ts'
import { isRefusal, type Side } from './refusal.ts'

export type ContextClient = {
  /**
   * Calls the owner. A refusal (421 or 503 with `Banyan-Refused`) is sent again, whatever its method, after a refresh,
   * until the deadline; then the last refusal is returned, with which still nothing was done.
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
        const answer = await caller.call({ ...call, deadlineMs: end - performance.now() })
        if (!isRefusal(answer) || performance.now() + pause >= end) return answer
        await options.refresh()
        // The other side is asked at once; the same one only after a breath.
        if (options.currentOwner() === side) {
          await new Promise((resolve) => setTimeout(resolve, pause))
          pause = Math.min(pause * 2, PAUSE_MS.most)
        }
        if (performance.now() >= end) return answer
      }
    },
  }
}
