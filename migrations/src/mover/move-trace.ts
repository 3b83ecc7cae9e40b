/** The spans of a move: one for what is asked for, below it one for each step. Where nothing makes spans it does nothing. */
import { type Begun, beginSpan, currentContext, failSpan, runInContext } from '@banyan/kit/service'
import type { Action } from './next-action.ts'
import type { Sight } from './observe.ts'

export type MoveTrace = {
  /** Does what was decided in a span of its own; the same step in a row, as a copy's chunks, is one. */
  step(sight: Pick<Sight, 'stored' | 'intent'>, action: Action, work: () => Promise<void>): Promise<void>
  /** Ends what is open: somebody else leads, or this process stops. */
  close(): void
}

type Open<Id> = { id: Id; begun: Begun }

/** What only notes where an intent stands, and moves nothing. */
const NOTES: ReadonlySet<Action['do']> = new Set(['accept', 'settle'])

/**
 * Begins a trace for each intent that it sees. A mover that takes over from another begins a second one for what is left
 * of it: the first one's spans ended with that process. A step that nobody asked for, as after such an end, is a trace
 * by itself.
 */
export function createMoveTrace(context: string): MoveTrace {
  let asked: Open<bigint> | null = null
  let step: Open<Action['do']> | null = null
  const endStep = () => {
    step?.begun.span.end()
    step = null
  }
  const close = () => {
    endStep()
    asked?.begun.span.end()
    asked = null
  }
  const follow = ({ stored, intent }: Pick<Sight, 'stored' | 'intent'>, action: Action): Begun | undefined => {
    if (asked?.id !== intent?.id) close()
    if (intent && !asked)
      asked = {
        id: intent.id,
        begun: beginSpan(intent.verb, { parent: null, attributes: { 'banyan.context': context } }),
      }
    if (action.do === 'rest' || NOTES.has(action.do)) {
      endStep()
      return asked?.begun
    }
    if (step?.id !== action.do) {
      endStep()
      const direction = action.do === 'begin-switch' ? action.direction : stored.direction
      const attributes = { 'banyan.context': context, ...(direction ? { 'banyan.direction': direction } : {}) }
      step = { id: action.do, begun: beginSpan(action.do, { parent: asked?.begun.traceparent ?? null, attributes }) }
    }
    if (action.do === 'wait') step.begun.span.setAttribute('banyan.waits_for', action.for)
    return step.begun
  }
  return {
    async step(sight, action, work) {
      const begun = follow(sight, action)
      try {
        await within(begun, work)
      } catch (error) {
        if (begun) failSpan(begun.span, error)
        endStep()
        throw error
      }
      if (action.do !== 'settle') return
      if (asked && action.as !== 'done') failSpan(asked.begun.span, action.as)
      close()
    },
    close,
  }
}

/** What is logged and called meanwhile belongs to the span. */
async function within(begun: Begun | undefined, work: () => Promise<void>): Promise<void> {
  if (begun?.traceparent === undefined) return await work()
  const requestId = currentContext()?.requestId ?? begun.span.spanContext().traceId
  return await runInContext({ requestId, traceparent: begun.traceparent }, work)
}
