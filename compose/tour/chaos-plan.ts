/** What a seed means: in which block of a chapter a process dies, how long after its start, and which one it is. */
import { createHash } from 'node:crypto'

/** Longer than most blocks begin to act; a block that is over sooner leaves the rest of the time to the next. */
const LATEST_MS = 4_000

export type ChaosMoment = {
  /** The index of a block among those that the chapter executes. */
  block: number
  afterMs: number
  /** Picks one of those that run then. */
  victim: (running: readonly string[]) => string
}

/** The same seed and chapter give the same moment, whatever the chapters before it did. */
export function momentOf(seed: string, chapter: string, blocks: number): ChaosMoment {
  const dice = (what: string) =>
    createHash('sha256').update(`${seed}/${chapter}/${what}`).digest().readUInt32BE() / 2 ** 32
  return {
    block: Math.floor(dice('block') * blocks),
    afterMs: Math.floor(dice('after') * LATEST_MS),
    victim: (running) => [...running].sort()[Math.floor(dice('victim') * running.length)]!,
  }
}
