/** Puts rows and events down to the step that left them, where several were looked at together. */
import type { Difference } from './compare.ts'
import { patternOf } from './path.ts'

export type Compared = {
  operation: string
  /** Whether what it did was looked at; if not, it shows with the next step that is looked at. */
  looked: boolean
  /** Whether any side did something besides answering, as far as was looked. */
  did: boolean
  sides: readonly Difference[]
  /** Of one side asked twice. */
  again?: readonly Difference[] | undefined
}

export type Attribution = {
  /** Whether a read was seen to do something: it is looked at by itself from then on. */
  acts(operation: string): boolean
  /** Whether something differs in what steps did that were looked at together, and a closer look may tell whose it is. */
  isBlurred(steps: readonly Compared[]): boolean
  /**
   * @param steps a sequence whose reads were looked at with the step after them
   * @param closer the same sequence again, looked at after every step; it may have ended early
   * @returns the steps, each with what it did itself; as they are where the closer look saw no read do anything
   */
  attribute<T extends Compared>(steps: readonly T[], closer: readonly Compared[]): T[]
}

/** Remembers which reads did something, and which did nothing where something differed: neither is looked for anew. */
export function createAttribution(): Attribution {
  const acting = new Set<string>()
  const innocent = new Set<string>()
  const pairsOf = (steps: readonly Compared[], [first, last]: Blur) => {
    const { operation, sides, again = [] } = steps[last]!
    const places = [...sides, ...again]
      .filter(isEffect)
      .map(({ path, kind }) => `${operation} ${patternOf(path)} ${kind}`)
    return steps.slice(first, last).flatMap((read) => places.map((place) => `${read.operation} ${place}`))
  }
  return {
    acts: (operation) => acting.has(operation),
    isBlurred: (steps) => blursOf(steps).some((blur) => pairsOf(steps, blur).some((pair) => !innocent.has(pair))),
    attribute(steps, closer) {
      const result = [...steps]
      for (const blur of blursOf(steps)) {
        const [first, last] = blur
        const seen = closer.slice(first, last + 1)
        if (seen.length <= last - first) continue
        const acted = seen.slice(0, -1).filter(({ did }) => did)
        for (const { operation } of acted) acting.add(operation)
        if (acted.length === 0) for (const pair of pairsOf(steps, blur)) innocent.add(pair)
        else for (const [at, own] of seen.entries()) result[first + at] = withEffectsOf(own, steps[first + at]!)
      }
      return result
    },
  }
}

/** The first and the last of steps that were looked at together. */
type Blur = readonly [first: number, last: number]

/** Where what such steps did differs. */
function blursOf(steps: readonly Compared[]): Blur[] {
  const found: Blur[] = []
  let first = 0
  for (const [at, { looked, sides, again = [] }] of steps.entries()) {
    if (!looked) continue
    if (first < at && [...sides, ...again].some(isEffect)) found.push([first, at])
    first = at + 1
  }
  return found
}

function withEffectsOf<T extends Compared>(seen: Compared, step: T): T {
  const merged = (own: readonly Difference[], other: readonly Difference[]) => [
    ...other.filter((difference) => !isEffect(difference)),
    ...own.filter(isEffect),
  ]
  const again = step.again && seen.again ? { again: merged(seen.again, step.again) } : {}
  return { ...step, sides: merged(seen.sides, step.sides), ...again }
}

const isEffect = ({ path }: Difference) => /^\$\.(rows|events)\b/.test(path)

/** Whether effects hold nothing: no row, no key of one that went, no count but 0, no event. */
export function isNothing(node: unknown): boolean {
  if (typeof node === 'object' && node !== null) return Object.values(node).every(isNothing)
  return node === undefined || node === 0
}
