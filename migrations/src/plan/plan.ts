import { z } from 'zod'

const name = z
  .string()
  .regex(/^[a-z_][a-z0-9_]*$/, 'must be a plain PostgreSQL name in lower case (letters, digits and underscores)')
/** A table outside of the context may be of another schema; those of `public` are known by their names alone. */
const anyTable = z
  .string()
  .regex(/^([a-z_][a-z0-9_]*\.)?[a-z_][a-z0-9_]*$/, 'must be a plain PostgreSQL name in lower case, or schema.name')
  .transform((text) => text.replace(/^public\./, ''))
const process = z
  .string()
  .regex(/^[\w.:@/-]+$/, 'must be the name under which the processes announce themselves, without blanks')
const context = z.string().regex(/^[a-z][a-z0-9-]*$/, 'must be a context name: lower case letters, digits and dashes')

/** A column that changes on its way: a new name alone, or also a new form, with the SQL for both ways (`$1`). */
const column = z.union([
  name.transform((to) => ({ to })),
  z.strictObject({ to: name, forward: z.string().optional(), back: z.string().optional() }),
])

const table = z.union([
  name.transform((from) => ({ from, to: from, columns: {} })),
  z.strictObject({
    from: name,
    to: name.optional(),
    columns: z.record(name, column).default({}),
  }),
])

const crossing = z.strictObject({
  table: anyTable,
  constraint: name,
  replacement: z.string().min(1).optional(),
})

/** The shape of a plan file; what the databases say about it is the doctor's part. */
export const planShape = z.strictObject({
  context,
  databases: z.strictObject({ monolith: name, service: name }),
  /** What the sides' processes announce themselves as; `monolith` and `<context>-service` unless told. */
  processes: z.strictObject({ monolith: process, service: process }).partial().default({}),
  tables: z.array(table).min(1, 'must name at least one table'),
  'crossing-foreign-keys': z.array(crossing).default([]),
  sequences: z.array(name).default([]),
  'saga-tables': z.array(name).default([]),
  'depends-on': z.array(context).default([]),
})

export type PlannedColumn = { to: string; forward?: string | undefined; back?: string | undefined }
export type PlannedTable = { from: string; to: string; columns: Readonly<Record<string, PlannedColumn>> }
/** `table` has its schema before it unless that is `public`. */
export type CrossingKey = { table: string; constraint: string; replacement?: string | undefined }

/** What moves when a context leaves the monolith, as its plan file says. */
export type Plan = {
  file: string
  context: string
  databases: { monolith: string; service: string }
  /** The names under which the sides' processes are found among the instances. */
  processes: { monolith: string; service: string }
  tables: readonly PlannedTable[]
  crossingKeys: readonly CrossingKey[]
  /** Sequences that no column owns and that must move all the same. */
  sequences: readonly string[]
  /** Those of `tables` that hold this context's sagas. */
  sagaTables: readonly string[]
  /** Contexts that must have moved, and stay moved, while this one is at the service. */
  dependsOn: readonly string[]
  /** The line of the file at which a part stands, e.g. `lineOf('crossing-foreign-keys', 0)`. */
  lineOf(...path: (string | number)[]): number
}
