import type { SagaSketch } from './sketch.ts'
import type { SagaState } from './state.ts'

/** A saga's table of steps as a Mermaid state diagram: forward on the left, compensations back on the right. */
export const toMermaid = (saga: SagaSketch): string => {
  const id = (name: string) => name.replace(/\W/g, '_')
  const lines = ['stateDiagram-v2', `  [*] --> ${id(saga.steps[0]!.name)}`]
  // Where a saga that turns back at a step goes: the nearest compensation at or before it.
  let back: string | undefined
  for (const [index, step] of saga.steps.entries()) {
    const next = saga.steps[index + 1]
    lines.push(`  ${id(step.name)} --> ${next ? id(next.name) : 'COMPLETED'}`)
    if (saga.forwardOnly) lines.push(`  ${id(step.name)} --> NEEDS_ATTENTION: refused or late`)
    else {
      if (step.undo) {
        lines.push(`  undo_${id(step.name)} --> ${back ?? 'COMPENSATED'}`)
        lines.push(`  undo_${id(step.name)} --> NEEDS_ATTENTION: keeps failing`)
        back = `undo_${id(step.name)}`
      }
      lines.push(`  ${id(step.name)} --> ${back ?? 'COMPENSATED'}: refused, late or cancelled`)
    }
  }
  const ends = ['COMPLETED', 'COMPENSATED', 'NEEDS_ATTENTION'].filter((end) => lines.some((line) => line.includes(end)))
  return [...lines, ...ends.map((end) => `  ${end} --> [*]`), ''].join('\n')
}

/** What happened to one saga, line by line, times as ISO 8601 UTC. */
export const timeline = (saga: SagaState): string[] =>
  saga.history.map(({ at, what, step, note, times }) =>
    [new Date(at).toISOString(), step, what, times && `(${times} times)`, note].filter(Boolean).join(' '),
  )
