/** Where the sides are, and what they must be before anything is sent. */
import { z } from 'zod'
import { identityShape } from './identity.ts'
import type { Sequence } from './step.ts'
import { isSafe } from './take-step.ts'

/** Where a side is, and what of it may be looked at. */
export const placeShape = z.strictObject({
  name: z.string(),
  url: z.url(),
  /** Declares that requests may write there: it is a copy, and nobody's but this run's. */
  sandbox: z.boolean().default(false),
  database: z.string().optional(),
  amqp: z.string().optional(),
  /** By how much its clock is ahead of the true one: what it is told and asked is signed and dated by it. */
  clockShiftMs: z.number().int().default(0),
  identities: z.record(z.string(), identityShape).default({}),
})
export type Place = z.infer<typeof placeShape>

/** @throws Error when these sequences must not, or cannot, be asked of these sides */
export function refusePlaces(places: readonly Place[], sequences: readonly Sequence[]): void {
  refuseWrites(sequences, places)
  refuseStrangers(sequences, places)
  refuseShared(places)
  for (const what of ['database', 'amqp'] as const) {
    const without = places.filter((place) => place[what] === undefined)
    if (without.length > 0 && without.length < places.length)
      throw new Error(
        `${without.map(({ name }) => name).join(' and ')} has no ${what} in the file of --sides, and another side has: what one did would be missing at the other`,
      )
  }
}

/** Requests that write must not reach what may be somebody's. */
function refuseWrites(sequences: readonly Sequence[], places: readonly Place[]): void {
  const writing = sequences.flatMap(({ steps }) => steps).find((step) => !isSafe(step))
  const open = places.filter(({ sandbox }) => !sandbox).map(({ name }) => name)
  if (writing && open.length > 0)
    throw new Error(
      `${writing.method} ${writing.path} writes, and ${open.join(' and ')} is not declared a sandbox: use --sandbox, or "sandbox": true in the file of --sides, only for copies that nobody uses`,
    )
}

/** What is compared with itself is always alike, and a twin that is the other side makes noise of each difference. */
function refuseShared(places: readonly Place[]): void {
  for (const what of ['url', 'database', 'amqp'] as const)
    for (const [at, one] of places.entries()) {
      const other = places.slice(at + 1).find((place) => one[what] !== undefined && sameUrl(place[what], one[what]))
      if (other)
        throw new Error(
          `${one.name} and ${other.name} have the same ${what}: what one does would be the other's, and nothing is proven by comparing a side with itself`,
        )
    }
}

const sameUrl = (one: string | undefined, other: string) =>
  one !== undefined &&
  (one === other || (URL.canParse(one) && URL.canParse(other) && new URL(one).href === new URL(other).href))

/** Whoever is to ask must be known to each side. */
function refuseStrangers(sequences: readonly Sequence[], places: readonly Place[]): void {
  const asking = new Set(sequences.flatMap(({ steps }) => steps.flatMap(({ as }) => (as === undefined ? [] : [as]))))
  for (const { name, identities } of places) {
    const strangers = [...asking].filter((who) => !Object.hasOwn(identities, who))
    if (strangers.length > 0)
      throw new Error(
        `${name} has no identity ${strangers.join(', ')}, and sequences ask by it; it has: ${Object.keys(identities).join(', ') || 'none'}. Name them in the file of --identities or of --sides`,
      )
  }
}

/** @returns What of a step cannot be looked at, `rows` or `events`, without a database and a broker */
export function unseenOf(places: readonly Place[]): string[] {
  const all = (has: (place: Place) => string | undefined) => places.every((place) => has(place) !== undefined)
  const rows = all(({ database }) => database)
  return [...(rows ? [] : ['rows']), ...(rows && all(({ amqp }) => amqp) ? [] : ['events'])]
}

/** What must not stand in any report. */
export function secretsOf(places: readonly Place[]): string[] {
  return places.flatMap(({ identities, database, amqp }) => [
    ...Object.values(identities).flatMap((identity) => ('bearer' in identity ? [identity.bearer] : [])),
    ...[database, amqp].flatMap((url) => (url === undefined ? [] : [new URL(url).password])),
  ])
}
