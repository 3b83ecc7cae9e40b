/** JSON logs with trace ids and without secrets. */
import { type Logger as PinoLogger, pino, stdSerializers } from 'pino'
import { currentContext, traceIdOf } from './request-context.ts'

export type Logger = PinoLogger

const SECRETS = ['authorization', 'cookie', 'password', 'secret', 'token', 'accessToken', 'refreshToken', 'privateJwk']
const paths = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]).concat('headers["set-cookie"]')

/**
 * @param options.name The process, e.g. `inventory-service`.
 * @param options.level A pino level; `silent` for tests.
 * @param options.destination Where lines go; standard output unless told.
 * @returns A pino logger. Within a request each line carries its `requestId` and `traceId`; known secret fields and
 *   passwords inside URLs are censored.
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
    redact: { paths, censor: '[redacted]' },
    mixin: () => {
      const context = currentContext()
      return context ? { requestId: context.requestId, traceId: traceIdOf(context.traceparent) } : {}
    },
    serializers: { err: withoutPasswords },
  }
  return options.destination ? pino(settings, options.destination) : pino(settings)
}

/** Drivers quote the connection string they failed with. */
function withoutPasswords(error: Error): unknown {
  const plain = stdSerializers.err(error) as unknown as Record<string, unknown>
  for (const key of ['message', 'stack'])
    if (typeof plain[key] === 'string') plain[key] = plain[key].replace(/:\/\/[^/\s@]+@/g, '://***@')
  return plain
}
