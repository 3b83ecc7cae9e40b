/** How each difference is shown again: by the shortest sequence that was found to show it. */
import { shrink } from './generate.ts'
import { linesOf } from './lines.ts'
import { type Reproduction, spotOf } from './report.ts'
import type { Runner } from './run.ts'
import { leaveOut } from './shorten.ts'
import type { Sequence } from './step.ts'
import type { Finding } from './tally.ts'

/** Of how many differences a shorter sequence is looked for. */
const SEARCHED_AT_MOST = 5

export type ReproduceOptions = {
  runner: Pick<Runner, 'replay'>
  sequences: readonly Sequence[]
  arbitrary: Parameters<typeof shrink>[0]
  seed: number
  /** How many shorter sequences are tried for a difference; 0 shows it as it was found. */
  tries: number
  /** The command line that runs one sequence of this run again. */
  command(sequence: string): string
}

/** @returns by what names a difference; of those beyond the first few one is shown by a sequence that was found for these */
export async function reproductionsOf(
  findings: readonly Finding[],
  { runner, sequences, arbitrary, seed, tries, command }: ReproduceOptions,
): Promise<Map<string, Reproduction>> {
  const result = new Map<string, Reproduction>()
  const showing = new Map<string, Sequence>()
  for (const [at, finding] of findings.entries()) {
    const spot = spotOf(finding)
    const searched = at < SEARCHED_AT_MOST && tries > 0
    const shorter = (searched ? await search(finding) : undefined) ?? showing.get(spot)
    const sequence = sequences[finding.origin.index]!
    result.set(spot, {
      command: command((shorter ?? sequence).name),
      requests: linesOf(shorter?.steps ?? sequence.steps.slice(0, finding.origin.step + 1)),
      shortened: shorter !== undefined,
    })
  }
  return result

  async function search(finding: Finding): Promise<Sequence | undefined> {
    let shown: readonly string[] = []
    const differs = async (shorter: Sequence) => {
      const spots = (await runner.replay(shorter)).flatMap(({ sides }) => sides.map(spotOf))
      const again = spots.includes(spotOf(finding))
      if (again) shown = spots
      return again
    }
    for (const { index, step } of [finding.origin, ...finding.alsoIn]) {
      const sequence = sequences[index]!
      const shorter =
        sequence.kind === 'generated'
          ? await shrink(arbitrary, { seed, name: sequence.name, tries }, (steps) => differs({ ...sequence, steps }))
          : await leaveOut(sequence, { end: step + 1, tries }, differs)
      if (!shorter) continue
      // What it shows besides was seen when it was run last.
      for (const spot of shown) if (!showing.has(spot)) showing.set(spot, shorter)
      return shorter
    }
    return undefined
  }
}
