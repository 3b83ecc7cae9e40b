import type { SagaDefinition } from './define.ts'

/**
 * A saga's table of steps as data: what a drawing and a retry need of it, and all that whoever has only the database
 * gets to know. Stored beside the sagas by the process that runs them.
 */
export type SagaSketch = {
  readonly name: string
  readonly deadlineMs: number
  readonly forwardOnly: boolean
  /** `undo`: whether the step has a compensation. */
  readonly steps: readonly { readonly name: string; readonly undo: boolean; readonly deadlineMs?: number }[]
}

/** What of a definition can be stored. */
export const sketchOf = <Trx>({ name, deadlineMs, forwardOnly, steps }: SagaDefinition<Trx>): SagaSketch => ({
  name,
  deadlineMs,
  forwardOnly: forwardOnly ?? false,
  steps: steps.map((step) => ({
    name: step.name,
    undo: step.undo !== undefined,
    ...(step.deadlineMs === undefined ? {} : { deadlineMs: step.deadlineMs }),
  })),
})
