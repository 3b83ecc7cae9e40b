import { outcomeOf, stable } from './compare.ts'
import type { BurstObservation, Observation } from './observation.ts'
import { valueAt } from './path.ts'
import type { Side } from './side.ts'
import { fill, render, type Step, type Variables } from './step.ts'

export type Taken = {
  document: Observation | BurstObservation
  /** What was asked of this side, for the reproduction. */
  asked: { method: string; path: string; body?: string | undefined; as?: string | undefined }
  /** Expectations that did not hold. */
  unmet: { path: string; seen: unknown; wanted: unknown }[]
  /** What was to be captured and was not there: in a scenario a mistake, in generated requests what they allow for. */
  missed: string[]
}

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Whether a request only reads, so that asking it twice is harmless. */
export function isSafe(step: Step): boolean {
  return SAFE.has(step.method.toUpperCase())
}

/**
 * Takes one step at one side: asks, and captures into `variables`.
 * @param look whether to look at what has been done besides since the last look
 */
export async function takeStep(side: Side, step: Step, variables: Variables, look: boolean): Promise<Taken> {
  const asked = render(step, burstVariables(variables, 0))
  const answers = await Promise.all(
    Array.from({ length: step.together ?? 1 }, (_, index) => side.ask(render(step, burstVariables(variables, index)))),
  )
  const effects = look ? await side.effects?.collect() : undefined
  const document: Observation | BurstObservation =
    step.together === undefined
      ? { ...answers[0]!, ...effects }
      : (withoutNames({ outcomes: answers.sort(byOutcome), ...effects }, step.either ?? []) as BurstObservation)
  const captured = Object.entries(step.capture ?? {}).map(([name, path]) => ({
    name,
    path,
    value: valueAt(document, path),
  }))
  for (const { name, value } of captured) variables.set(name, value)
  const missed = captured.filter(({ value }) => value === undefined || value === null)
  return {
    document,
    asked,
    unmet: unmetOf(step, document, variables),
    missed: missed.map(({ name, path }) => `nothing stands at ${path} to be captured as ${name}`),
  }
}

/** Of requests sent at once, `{{index}}` is which it is and `{{nth}}` a whole number of its own. */
function burstVariables(variables: Variables, index: number): Variables {
  return new Map(variables).set('index', index).set('nth', Number(variables.get('number')) + 1 + index)
}

function byOutcome(a: Observation, b: Observation): number {
  const [one, other] = [outcomeOf(a), outcomeOf(b)]
  return one < other ? -1 : one > other ? 1 : 0
}

/** Who of several won is chance: members that only say who are made equal, in answers, rows and events. */
function withoutNames(node: unknown, names: readonly string[]): unknown {
  if (Array.isArray(node)) return node.map((item) => withoutNames(item, names))
  if (typeof node !== 'object' || node === null) return node
  return Object.fromEntries(
    Object.entries(node).map(([name, item]) => [name, names.includes(name) ? 'either' : withoutNames(item, names)]),
  )
}

function unmetOf(step: Step, document: unknown, variables: Variables): Taken['unmet'] {
  return Object.entries(step.expect ?? {}).flatMap(([at, template]) => {
    const path = at.startsWith('$') ? at : `$.${at}`
    const [wanted, seen] = [fill(template, variables), valueAt(document, path)]
    return stable(wanted) === stable(seen) ? [] : [{ path, seen, wanted }]
  })
}
