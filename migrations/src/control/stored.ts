export type Side = 'monolith' | 'service'
export type Direction = 'to-service' | 'to-monolith'
export const PHASES = [
  'idle',
  'prepared',
  'copying',
  'following',
  'ready',
  'switching',
  'switched',
  'completed',
  'aborting',
] as const
export type Phase = (typeof PHASES)[number]

/**
 * The steps of an attempt, each stored before it is taken. `unlink` to `commit` belong to `switching`; `unfence` and
 * `release` to `switched`, after the point of no return; `raise-target`, `unfence-source` and `release` to
 * `aborting`; the others to `idle` and `switched`, so that a crash in the middle is seen.
 */
export type Step =
  | 'unlink'
  | 'hold'
  | 'fence'
  | 'marker'
  | 'sequences'
  | 'commit'
  | 'unfence'
  | 'release'
  | 'raise-target'
  | 'unfence-source'
  | 'preparing'
  | 'unpreparing'
  | 'completing'

/** A context's row of the control database: what is true. */
export type Stored = {
  context: string
  phase: Phase
  formerPhase: Phase | null
  direction: Direction | null
  step: Step | null
  owner: Side
  hold: boolean
  reads: 'flag' | 'owner'
  paused: boolean
  epoch: bigint
  token: bigint
  term: bigint
  move: bigint
}

export const VERBS = [
  'prepare',
  'unprepare',
  'backfill',
  'pause',
  'resume',
  'verify',
  'repair',
  'switch',
  'rollback',
  'complete',
] as const
export type Verb = (typeof VERBS)[number]

/** What someone asks for, and how far it has come. */
export type Intent = {
  id: bigint
  context: string
  verb: Verb
  args: Readonly<Record<string, unknown>>
  source: 'cli' | 'console' | 'flag'
  who: string
  why: string | null
  state: 'pending' | 'running'
  /** Milliseconds since it was asked for, by the control database's clock. */
  ageMs: number
  waitsFor: string | null
}

export const targetOf = (direction: Direction): Side => (direction === 'to-service' ? 'service' : 'monolith')
export const onTheMove = (phase: Phase): boolean => phase !== 'idle' && phase !== 'completed'
