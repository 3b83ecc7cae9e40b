import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { MistakesError, readYaml } from '../yaml/index.ts'
import { ruleShape } from './rules.ts'
import { GIVEN, namesIn, type Sequence, type Step } from './step.ts'

const reference = z.strictObject({
  /** The operation whose answer holds it, and where. */
  from: z.string(),
  at: z.string().startsWith('$'),
  /** Members and parameters that take it; `getProduct.id` is the parameter of one operation. */
  fields: z.array(z.string()).min(1),
  /** What stands in when nothing was made yet. */
  fallback: z.number().int().default(1),
  /** Others that may be there or not. */
  also: z.array(z.unknown()).default([]),
})

const VERBS = ['get', 'post', 'put', 'patch', 'delete', 'tell'] as const

const stepShape = z
  .strictObject({
    name: z.string().optional(),
    as: z.string().optional(),
    get: z.string().startsWith('/').optional(),
    post: z.string().startsWith('/').optional(),
    put: z.string().startsWith('/').optional(),
    patch: z.string().startsWith('/').optional(),
    delete: z.string().startsWith('/').optional(),
    /** No request but an event that the side hears of: `/<context>/<Type>/<stream>`; `body` is its payload. */
    tell: z
      .string()
      .regex(/^\/[^/]+\/[^/]+\/[^/]+$/, 'is not /<context>/<Type>/<stream> of an event')
      .optional(),
    query: z.record(z.string(), z.unknown()).optional(),
    headers: z.record(z.string(), z.string()).optional(),
    body: z.unknown().optional(),
    raw: z.string().optional(),
    together: z.number().int().min(2).max(100).optional(),
    either: z.array(z.string()).optional(),
    capture: z.record(z.string(), z.string().startsWith('$')).optional(),
    expect: z.record(z.string(), z.unknown()).optional(),
  })
  .refine(
    (step) => VERBS.filter((verb) => step[verb] !== undefined).length === 1,
    `must say exactly one of ${VERBS.join(', ')}, each with a path`,
  )
  .transform(({ get, post, put, patch, delete: remove, tell, ...step }): Step => {
    const paths = { get, post, put, patch, delete: remove, tell }
    const verb = VERBS.find((each) => paths[each] !== undefined)!
    return { ...step, method: verb.toUpperCase(), path: paths[verb]! }
  })

/** Who recorded users are in a new world, and what must be sent otherwise than it was recorded. */
const recordedShape = z.strictObject({
  /** Whose token is sent, by the claims of the recorded one; the first that fits. */
  users: z
    .array(
      z.strictObject({
        when: z.record(z.string(), z.unknown()).optional(),
        as: z.string(),
        /** Of this user's own; `{{account}}` is a whole number that no other user has. */
        claims: z.record(z.string(), z.unknown()).optional(),
      }),
    )
    .default([]),
  /** Where no such rule fits: how an account is made, with `{{email}}` and `{{password}}`; the last step logs in. */
  accounts: z
    .array(stepShape)
    .refine(
      (steps) => steps.length === 0 || steps.at(-1)?.capture?.token !== undefined,
      'the last step must capture token',
    )
    .default([]),
  /** Members whose text nobody else may have: it gets a new end. */
  unique: z.array(z.string()).default([]),
  /** By member: what is sent for a secret where anything made up would be refused. */
  values: z.record(z.string(), z.unknown()).default({}),
  /** The least share of requests that must be answered as they were recorded. */
  faithful: z.number().min(0).max(1).default(0.5),
  /** Comparisons below which nothing is proven. */
  minimum: z.number().int().min(1).default(10),
})

const settingsShape = z.strictObject({
  /** The OpenAPI file, seen from this one. */
  contract: z.string(),
  /** What of the contract belongs to the context; all of it without. */
  operations: z.array(z.string()).optional(),
  /** Who may ask, by security scheme; the first one usually does. */
  identities: z.record(z.string(), z.array(z.string()).min(1)).default({}),
  /** Comparisons below which nothing is proven. */
  minimum: z.number().int().min(1).default(50),
  generate: z
    .strictObject({
      values: z.record(z.string(), z.array(z.unknown()).min(1)).default({}),
      references: z.record(z.string(), reference).default({}),
    })
    .prefault({}),
  recorded: recordedShape.prefault({}),
  rules: z.array(ruleShape).default([]),
})
export type Settings = z.infer<typeof settingsShape>

const scenarioShape = z.strictObject({ scenario: z.string().min(1), steps: z.array(stepShape).min(1) })

/** The file of a context's folder that is no scenario. */
const SETTINGS_FILE = 'parity.yaml'

/**
 * Reads a context's folder: `parity.yaml`, and every other YAML file as a scenario.
 * @throws MistakesError with every mistake's file, line and remedy
 */
export function readParityFolder(folder: string): { settings: Settings; contract: string; scenarios: Sequence[] } {
  const settings = check(settingsShape, join(folder, SETTINGS_FILE))
  const files = readdirSync(folder).filter((file) => /\.ya?ml$/.test(file) && file !== SETTINGS_FILE)
  const scenarios = files.sort().map((file): Sequence => {
    const { scenario, steps } = check(scenarioShape, join(folder, file), unknownNames)
    return { name: scenario, kind: 'scenario', steps }
  })
  const twice = scenarios.find(({ name }, at) => scenarios.findIndex((other) => other.name === name) < at)
  if (twice) throw new Error(`${folder}: two scenarios are called "${twice.name}"; give each a name of its own`)
  return { settings, contract: join(folder, settings.contract), scenarios }
}

/** @param sense finds what the shape cannot say, by the path of the part in question */
function check<T extends z.ZodObject>(
  shape: T,
  file: string,
  sense: (value: z.output<T>) => { at: PropertyKey[]; message: string; remedy: string }[] = () => [],
): z.output<T> {
  const { value, lineOf } = readYaml(file, readFileSync(file, 'utf8'), shape, 'file')
  const mistakes = sense(value).map(({ at, ...mistake }) => ({ file, line: lineOf(at), ...mistake }))
  if (mistakes.length > 0) throw new MistakesError(mistakes)
  return value
}

/** Names that a scenario uses and no earlier step has captured: both sides would refuse alike what stands in for them. */
function unknownNames({ steps }: z.output<typeof scenarioShape>) {
  const known = new Set<string>(GIVEN)
  return steps.flatMap((step, index) => {
    const used = namesIn(step)
    for (const name of Object.keys(step.capture ?? {})) known.add(name)
    return used
      .filter((name) => !known.has(name))
      .map((name) => ({
        at: ['steps', index],
        message: `{{${name}}} is used, and no step up to here captures it`,
        remedy: `mend the spelling, or capture it; there are ${[...known].join(', ')}`,
      }))
  })
}
