/** The environment, checked once at the start: every fault at once, no value ever shown. */
import { z } from 'zod'
import { telemetrySettings } from './telemetry-settings.ts'

/** A start-up configuration that cannot be used. Its message names each variable and what is wrong with it. */
export class ConfigError extends Error {
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(`configuration: ${faults.length} fault${faults.length === 1 ? '' : 's'}\n${faults.map(line).join('\n')}`)
    this.name = 'ConfigError'
    this.faults = faults
  }
}

/** What every process takes; extend it with a process's own variables. */
export const processConfig = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65_535),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  BANYAN_LIFELINE: z.enum(['stdin']).optional(),
  FAIL_POINTS: z.string().default(''),
  /** What this process is called among builds; a hash of its sources unless told. */
  BUILD: z
    .string()
    .regex(/^[\x21-\x7e]{1,200}$/, 'must be up to 200 visible characters without spaces')
    .optional(),
  /** How long a process that is to end says "not ready" and still takes requests, for balancers that ask now and then. */
  SHUTDOWN_UNREADY_MS: z.coerce.number().int().min(0).max(60_000).default(0),
  SHUTDOWN_GRACE_MS: z.coerce.number().int().min(0).max(600_000).default(10_000),
  ...telemetrySettings,
})

/**
 * Checks the environment against a schema.
 * @param schema One key a variable. An empty variable counts as absent, as Compose and shells write it.
 * @param env Usually `process.env`, read in `main.ts` alone.
 * @returns The checked values, frozen to the bottom.
 * @throws ConfigError that lists all faults; a value never appears in it, since any of them may be a secret.
 */
export function readConfig<S extends z.ZodObject>(
  schema: S,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<z.infer<S>> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = schema.safeParse(given)
  if (parsed.success) return deepFreeze(parsed.data)
  throw new ConfigError(parsed.error.issues.map((issue) => fault(issue, given)))
}

/**
 * A variable that holds JSON.
 * @param schema What the parsed JSON must be.
 */
export function jsonVariable<S extends z.ZodType>(schema: S): z.ZodPipe<z.ZodPipe<z.ZodString, z.ZodTransform>, S> {
  const parse = z.transform((text: string, context) => {
    try {
      return JSON.parse(text) as unknown
    } catch {
      // JSON.parse quotes what it could not read, and what it could not read may be a key.
      context.issues.push({ code: 'custom', message: 'is not JSON', input: undefined })
      return z.NEVER
    }
  })
  return z.string().pipe(parse).pipe(schema) as never
}

function fault(issue: z.core.$ZodIssue, given: Record<string, unknown>): string {
  const variable = String(issue.path[0] ?? '(all)')
  const inside = issue.path.length > 1 ? ` at ${issue.path.slice(1).join('.')}` : ''
  const value = given[variable]
  if (value === undefined) return `${variable} is missing`
  const message = issue.message.replaceAll(String(value), '…')
  return `${variable}${inside}: ${message}`
}

function line(text: string): string {
  return `  ${text}`
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value
  Object.freeze(value)
  for (const inner of Object.values(value)) deepFreeze(inner)
  return value
}
