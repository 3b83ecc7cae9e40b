/** Counts what differed, per operation, place and kind, between the sides and of one side asked twice. */
import type { Difference, DifferenceKind } from './compare.ts'
import type { Mask } from './mask.ts'
import { patternOf } from './path.ts'
import { fisher, wilson } from './statistics.ts'

/** Where a difference was seen: which sequence, which of its steps. */
export type Origin = { sequence: string; index: number; step: number }

export type Finding = {
  operation: string
  at: string
  kind: DifferenceKind
  /** How often the two sides differed here, of how often the operation was compared. */
  differed: number
  compared: number
  /** The same of one side asked twice. */
  noisy: number
  askedTwice: number
  /** The most this place differs by itself, with 95 % confidence. */
  noiseAtMost: number
  /** The chance of these counts if the other side were no different from the first asked twice. */
  chance: number
  /** Whether this place varies by itself in a way that this kind may come of, be it in another kind. */
  varies: boolean
  /** Masked. */
  sample: { path: string; left: unknown; right: unknown }
  origin: Origin
  /** More sequences that showed it: the first one may not again, where it used up what it came upon. */
  alsoIn: Origin[]
}

const ALSO_IN_AT_MOST = 4
/** Below this chance a noisy place is taken to differ by more than its noise. */
const SIGNIFICANT = 0.001

export type Judgement = { real: Finding[]; noise: Finding[]; doubtful: Finding[] }

export type Tally = {
  compared(operation: string, differences: readonly Difference[], origin: Origin): void
  /** One that was compared was answered with success, 2xx. */
  succeeded(operation: string): void
  askedTwice(operation: string, differences: readonly Difference[]): void
  /** Whether a difference stands where one side varies by itself, and is seen no oftener than that explains. */
  isNoise(operation: string, difference: Difference): boolean
  /** What the sides surely differ in, what varies by itself, and what was seen too seldom to tell. */
  judge(): Judgement
  operations(): { operation: string; compared: number; succeeded: number; askedTwice: number; differed: number }[]
}

function verdictOf({ chance, noisy, askedTwice }: Finding): keyof Judgement {
  // Nobody was asked twice, so nothing excuses a difference.
  if (chance < SIGNIFICANT || askedTwice === 0) return 'real'
  return noisy > 0 ? 'noise' : 'doubtful'
}

const spotOf = ({ operation, at }: { operation: string; at: string }) => `${operation} ${at}`

/** In which way a place varies: that a value does explains neither that it is not there nor that it is of another type. */
function wayOf(kind: DifferenceKind): 'presence' | 'type' | 'any' {
  if (kind === 'missing' || kind === 'extra') return 'presence'
  return kind === 'type' ? 'type' : 'any'
}

type Place = { operation: string; at: string; kind: DifferenceKind; differed: number; noisy: number } & {
  first?: Pick<Finding, 'sample' | 'origin' | 'alsoIn'>
}

/**
 * @param mask is applied to samples before they are kept
 * @param placesAtMost places that are counted; of one beyond them nothing is known, so that its noise excuses nothing
 */
export function createTally(mask: Mask, placesAtMost = Number.POSITIVE_INFINITY): Tally {
  const places = new Map<string, Place>()
  const asked = new Map<string, { compared: number; succeeded: number; askedTwice: number; differed: number }>()
  const keyOf = (operation: string, { path, kind }: Difference) => `${operation}\n${patternOf(path)}\n${kind}`
  const countsOf = (operation: string) => {
    const counts = asked.get(operation) ?? { compared: 0, succeeded: 0, askedTwice: 0, differed: 0 }
    asked.set(operation, counts)
    return counts
  }
  /** One for each place, however many elements of a list differ there. */
  const placesOf = (operation: string, differences: readonly Difference[]) => {
    const hit = new Map<Place, Difference>()
    for (const difference of differences) {
      const key = keyOf(operation, difference)
      const known = places.get(key)
      if (!known && places.size >= placesAtMost) continue
      const { kind, path } = difference
      const place = known ?? { operation, at: patternOf(path), kind, differed: 0, noisy: 0 }
      places.set(key, place)
      if (!hit.has(place)) hit.set(place, difference)
    }
    return hit
  }
  return {
    compared(operation, differences, origin) {
      const counts = countsOf(operation)
      counts.compared++
      if (differences.length > 0) counts.differed++
      for (const [place, { path, left, right }] of placesOf(operation, differences)) {
        place.differed++
        place.first ??= {
          sample: { path: mask.text(path), left: mask.at(path, left), right: mask.at(path, right) },
          origin,
          alsoIn: [],
        }
        const { alsoIn } = place.first
        if (alsoIn.length < ALSO_IN_AT_MOST && (alsoIn.at(-1) ?? place.first.origin).index !== origin.index)
          alsoIn.push(origin)
      }
    },
    succeeded(operation) {
      countsOf(operation).succeeded++
    },
    askedTwice(operation, differences) {
      countsOf(operation).askedTwice++
      for (const place of placesOf(operation, differences).keys()) place.noisy++
    },
    isNoise(operation, difference) {
      const place = places.get(keyOf(operation, difference))
      if (!place || place.noisy === 0) return false
      const { compared, askedTwice } = countsOf(operation)
      return fisher(place.differed, compared, place.noisy, askedTwice) >= SIGNIFICANT
    },
    judge() {
      const judgement: Judgement = { real: [], noise: [], doubtful: [] }
      const varying = new Set(
        [...places.values()].flatMap(({ noisy, ...place }) =>
          noisy > 0 ? [`${spotOf(place)} any`, `${spotOf(place)} ${wayOf(place.kind)}`] : [],
        ),
      )
      for (const { first, ...place } of places.values()) {
        if (!first) continue
        const { compared, askedTwice } = countsOf(place.operation)
        const finding: Finding = {
          ...place,
          compared,
          askedTwice,
          noiseAtMost: wilson(place.noisy, askedTwice)[1],
          chance: fisher(place.differed, compared, place.noisy, askedTwice),
          varies: varying.has(`${spotOf(place)} ${wayOf(place.kind)}`),
          ...first,
        }
        judgement[verdictOf(finding)].push(finding)
      }
      return judgement
    },
    operations: () => [...asked].map(([operation, counts]) => ({ operation, ...counts })),
  }
}
