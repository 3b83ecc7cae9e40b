/** A recording: JSON lines, the first about the recording, each other one exchange. docs/parity.md describes it. */
import { z } from 'zod'

export const RECORDING_VERSION = 1

export const headShape = z.strictObject({
  recording: z.literal(RECORDING_VERSION),
  /** ISO 8601. */
  at: z.string(),
  /** Of the sessions, how many are recorded. */
  share: z.number(),
})

/** A body as it is kept: what it said, or why it is not here. */
const bodyShape = z.union([
  z.strictObject({ json: z.unknown() }),
  z.strictObject({ form: z.record(z.string(), z.array(z.string())) }),
  z.strictObject({ omitted: z.string() }),
])
export type RecordedBody = z.infer<typeof bodyShape>

export const exchangeShape = z.strictObject({
  /** The order in which requests arrived. */
  n: z.number().int(),
  /** Milliseconds since the recording began. */
  at: z.number(),
  session: z.string(),
  /** Whose token was sent: a stand-in for the token's subject, and what it said besides. */
  user: z.string().optional(),
  claims: z.record(z.string(), z.unknown()).optional(),
  token: z.string().optional(),
  method: z.string(),
  path: z.string(),
  query: z.record(z.string(), z.array(z.string())).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  cookies: z.record(z.string(), z.string()).optional(),
  body: bodyShape.optional(),
  answer: z.strictObject({
    status: z.number().int(),
    /** Of the answer only what later requests may refer to, by path: ids, and stand-ins for tokens. */
    ids: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
  }),
})
export type Recorded = z.infer<typeof exchangeShape>

/** What kind of secret a stand-in stands for, and its digest. */
const STAND_IN = /‹(\w+) ([0-9a-f]{12})›/g

export function standIn(kind: string, digest: string): string {
  return `‹${kind} ${digest.slice(0, 12)}›`
}

/** Puts something else in the place of each stand-in of a text. */
export function replaceStandIns(text: string, replace: (whole: string, kind: string, digest: string) => string) {
  return text.replaceAll(STAND_IN, replace)
}

export function isStandIn(value: unknown): value is string {
  return typeof value === 'string' && /^‹\w+ [0-9a-f]{12}›$/.test(value)
}
