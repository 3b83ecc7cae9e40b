/** JSON logs with trace ids, without secrets and without values of rows. */
import { type Logger as PinoLogger, pino, stdSerializers } from 'pino'
import { withoutValues } from './error-values.ts'
import { currentContext } from './request-context.ts'
import { traceIdOf } from './traceparent.ts'

export type Logger = PinoLogger

const SECRETS = new Set([
  'authorization',
  'cookie',
  'set-cookie',
  'password',
  'secret',
  'token',
  'accesstoken',
  'refreshtoken',
  'privatejwk',
])
const DEPTH = 4

/**
 * @param options.name The process, e.g. `billing-service`.
 * @param options.level A pino level; `silent` for tests.
 * @param options.destination Where lines go; standard output unless told.
 * @returns A pino logger. Within a request each line carries its `requestId` and `traceId`; known secret fields,
 *   passwords inside URLs and what PostgreSQL's errors quote of rows are censored.
 */
export function createLogger(options: {
  name: string
  level?: string
  destination?: { write(line: string): void }
}): Logger {
  const settings = {
    name: options.name,
    level: options.level ?? 'info',
    base: { pid: process.pid },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    // Pino's own redaction with wildcards costs twenty times the line itself.
    formatters: { log: (line: Record<string, unknown>) => withoutSecrets(line, DEPTH) },
    mixin: () => {
      const context = currentContext()
      return context ? { requestId: context.requestId, traceId: traceIdOf(context.traceparent) } : {}
    },
    // The formatter has done it, whatever the field's name; pino's own would take its result for an error once more.
    serializers: { err: (value: unknown) => value },
  }
  return options.destination ? pino(settings, options.destination) : pino(settings)
}

/** Copies plain objects only where a secret is in them. */
function withoutSecrets<T>(value: T, depth: number): T {
  if (depth === 0 || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((one) => withoutSecrets(one, depth - 1)) as T
  if (value instanceof Error) return stdSerializers.err(withoutValues(value)) as T
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  const entries = Object.entries(value as Record<string, unknown>)
  const clean = entries.map(([name, inner]) => [
    name,
    SECRETS.has(name.toLowerCase()) ? '[redacted]' : withoutSecrets(inner, depth - 1),
  ])
  return clean.every(([, kept], at) => kept === entries[at]?.[1]) ? value : (Object.fromEntries(clean) as T)
}
