/** How each difference is shown again: by the shortest sequence that was found to show it. */
import { shrink } from './generate.ts'
import { linesOf } from './lines.ts'
import { type Reproduction, type Search, spotOf } from './report.ts'
import type { Runner } from './run.ts'
import { leaveOut } from './shorten.ts'
import type { Sequence } from './step.ts'
import type { Finding } from './tally.ts'

/** In all, as many sequences are run as these differences may take: a side that is wholly another one has hundreds. */
const SEARCHES_IN_ALL = 10

export type ReproduceOptions = {
  runner: Pick<Runner, 'replay'>
  sequences: readonly Sequence[]
  arbitrary: Parameters<typeof shrink>[0]
  seed: number
  /** How many shorter sequences are run for a difference; 0 shows it as it was found. */
  tries: number
  /** The command line that runs one sequence of this run again. */
  command(sequence: string): string
  /** Told before each difference that is looked at. */
  progress?: ((done: { looked: number; of: number }) => void) | undefined
}

/** A sequence that shows a difference, up to and with the step that does. */
type Shown = { sequence: Sequence; end: number }

/**
 * Looks for a shorter sequence for each difference. One that was found for another shows it, too, as soon as it was seen
 * to, and is made shorter for it where it has more than one request.
 * @returns by what names a difference
 */
export async function reproductionsOf(
  findings: readonly Finding[],
  { runner, sequences, arbitrary, seed, tries, command, progress }: ReproduceOptions,
): Promise<{ reproductions: Map<string, Reproduction>; search: Search }> {
  const reproductions = new Map<string, Reproduction>()
  const showing = new Map<string, Shown>()
  const search: Search = { runs: 0, most: tries * SEARCHES_IN_ALL, unsought: 0 }
  for (const [looked, finding] of inTurn(findings).entries()) {
    progress?.({ looked, of: findings.length })
    const spot = spotOf(finding)
    const known = showing.get(spot)
    if (!known && tries > 0 && search.runs >= search.most) search.unsought++
    const shorter = await shorterThan(finding, known)
    const { sequence, end } = known ?? seenIn(finding)[0]!
    reproductions.set(spot, {
      command: command((shorter ?? sequence).name),
      requests: linesOf(shorter?.steps ?? sequence.steps.slice(0, end)),
      shortened: shorter !== undefined || known !== undefined,
    })
  }
  return { reproductions, search }

  /** @returns the shortest found of those that lead to it from what shows it; undefined where none differs again */
  async function shorterThan(finding: Finding, known: Shown | undefined): Promise<Sequence | undefined> {
    if (known?.sequence.steps.length === 1) return undefined
    const end = Math.min(search.runs + tries, search.most)
    for (const from of known ? [known] : seenIn(finding)) {
      if (search.runs >= end) return undefined
      const shorter = await shorterFrom(from, spotOf(finding), end - search.runs)
      if (shorter) return shorter
    }
    return undefined
  }

  function seenIn({ origin, alsoIn }: Finding): Shown[] {
    return [origin, ...alsoIn].map(({ index, step }) => ({ sequence: sequences[index]!, end: step + 1 }))
  }

  async function shorterFrom({ sequence, end }: Shown, spot: string, most: number): Promise<Sequence | undefined> {
    let shown = new Map<string, number>()
    const differs = async (shorter: Sequence) => {
      search.runs++
      const steps = await runner.replay(shorter)
      // The first step that shows it, for of one name a map holds what came last.
      const now = new Map(
        steps.flatMap(({ sides }, at) => sides.map((side) => [spotOf(side), at + 1] as const)).reverse(),
      )
      if (now.has(spot)) shown = now
      return now.has(spot)
    }
    const shorter =
      sequence.kind === 'generated'
        ? await shrink(arbitrary, { seed, name: sequence.name, tries: most }, (steps) =>
            differs({ ...sequence, steps }),
          )
        : await leaveOut(sequence, { end, tries: most }, differs)
    // What it shows besides was seen when it was run last.
    if (shorter)
      for (const [other, last] of shown) if (!showing.has(other)) showing.set(other, { sequence: shorter, end: last })
    return shorter
  }
}

/** One of each operation, then the next of each: what the search has no more runs for is not all that one of them has. */
function inTurn(findings: readonly Finding[]): Finding[] {
  const rows = [...Map.groupBy(findings, ({ operation }) => operation).values()]
  const longest = Math.max(0, ...rows.map(({ length }) => length))
  return Array.from({ length: longest }, (_, at) => rows.flatMap((row) => row.slice(at, at + 1))).flat()
}
