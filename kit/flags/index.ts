/** Unleash's decisions, whatever becomes of Unleash. */
export type { Definition } from './definition.ts'
export { createFlags, type Flags, type FlagsOptions } from './flags.ts'
export type { Feature } from './payload.ts'
export type { Freshness } from './repository.ts'
