/** Shorter forms of a scenario or a recording: some of its steps, by a name that finds them again. */
import { GIVEN, namesIn, type Sequence } from './step.ts'

/**
 * Leaves out what a difference does not need, the many before the one.
 * @param end how many steps there are up to and with the one that differs
 * @param tries how many shorter forms are run at most
 * @param differs runs a form and says whether it still differs
 * @returns the shortest form found, which ends with that step; undefined when even all steps do not differ again
 */
export async function leaveOut(
  sequence: Sequence,
  { end, tries }: { end: number; tries: number },
  differs: (form: Sequence) => Promise<boolean>,
): Promise<Sequence | undefined> {
  let left = tries
  const differ = async (steps: readonly number[]) => left-- > 0 && (await differs(formOf(sequence, steps)))
  let kept = Array.from({ length: end }, (_, at) => at)
  if (!(await differ(kept))) return undefined
  const needed = neededBy(sequence, end - 1)
  if (needed.length < end && (await differ(needed))) kept = needed
  for (let size = kept.length >> 1; size > 0; ) {
    const before = kept.length
    // From the back, so that what uses an answer goes before the step that it was captured in.
    for (let to = before - 1; to > 0 && left > 0; to -= size) {
      const fewer = [...kept.slice(0, Math.max(0, to - size)), ...kept.slice(to)]
      if (isWhole(sequence, fewer) && (await differ(fewer))) kept = fewer
    }
    if (size > 1 || kept.length === before) size >>= 1
  }
  return formOf(sequence, kept)
}

/** @returns The sequence, or the form of one, that a report calls by this name. */
export function findForm(sequences: readonly Sequence[], name: string): Sequence | undefined {
  const found = sequences.find((sequence) => sequence.name === name)
  if (found) return found
  const [, whole, numbers] = /^(.*): steps (\d+(?:,\d+)*)$/.exec(name) ?? []
  const sequence = whole === undefined ? undefined : findForm(sequences, whole)
  const steps = numbers?.split(',').map((number) => Number(number) - 1) ?? []
  return sequence && steps.every((at) => at in sequence.steps) ? formOf(sequence, steps) : undefined
}

/**
 * What was expected, or recorded, of an answer holds after all the steps before it; both sides are compared all the same.
 * A form of a form has the name by which the whole finds it.
 */
function formOf(sequence: Sequence, steps: readonly number[]): Sequence {
  if (steps.length === sequence.steps.length) return sequence
  const whole = sequence.of?.whole ?? sequence
  const kept = steps.map((at) => sequence.of?.steps[at] ?? at)
  return {
    ...whole,
    name: `${whole.name}: steps ${kept.map((at) => at + 1).join(',')}`,
    steps: kept.map((at) => ({ ...whole.steps[at]!, expect: undefined, recorded: undefined })),
    of: { whole, steps: kept },
  }
}

/** The step, and those whose answers it cannot do without. */
function neededBy({ steps }: Sequence, last: number): number[] {
  const wanted = new Set(namesIn(askedIn(steps[last]!)))
  const needed = [last]
  for (let at = last - 1; at >= 0; at--) {
    const captured = Object.keys(steps[at]!.capture ?? {})
    if (!captured.some((name) => wanted.has(name))) continue
    for (const name of captured) wanted.delete(name)
    for (const name of namesIn(askedIn(steps[at]!))) wanted.add(name)
    needed.unshift(at)
  }
  return needed
}

/** Whether each step finds what it uses. */
function isWhole({ steps }: Sequence, kept: readonly number[]): boolean {
  const known = new Set<string>(GIVEN)
  return kept.every((at) => {
    const finds = namesIn(askedIn(steps[at]!)).every((name) => known.has(name))
    for (const name of Object.keys(steps[at]!.capture ?? {})) known.add(name)
    return finds
  })
}

const askedIn = ({ expect: _, ...asked }: Sequence['steps'][number]) => asked
