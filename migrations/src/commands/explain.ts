import { ConfigError } from '@banyan/kit/service/config'
import { MistakesError } from '@banyan/kit/yaml'
import { CalledBack } from './called-back.ts'
import { Refused } from './refused.ts'

/** What a failure means to the caller: an exit code, words for people, and an object for `--json`. */
export function explain(failure: unknown): { exitCode: 1 | 2; text: string; value: Record<string, unknown> } {
  const error = rootOf(failure)
  const message = error instanceof Error ? error.message || String(error.cause ?? error.name) : String(error)
  if (error instanceof MistakesError)
    return { exitCode: 2, text: message, value: { state: 'refused', code: 'plan-refused', mistakes: error.mistakes } }
  if (error instanceof Refused)
    return { exitCode: 2, text: `refused, waits for: ${message}`, value: { state: 'refused', waitsFor: message } }
  if (error instanceof CalledBack)
    return { exitCode: 1, text: message, value: { state: 'called-back', ...error.details } }
  if (error instanceof ConfigError)
    return { exitCode: 1, text: message, value: { state: 'failed', code: 'configuration', faults: error.faults } }
  if ((error as { code?: string }).code === '42P01' && message.includes('banyan.'))
    return explain(new Refused('the control database to be made ready: banyan init'))
  const { code, address, port, hostname } = error as Partial<Record<'code' | 'address' | 'port' | 'hostname', string>>
  const where: Readonly<Record<string, string>> = {
    ECONNREFUSED: `nothing listens at ${address}:${port}; is it started, and is the URL right?`,
    ENOTFOUND: `there is no host "${hostname}"; is the URL right?`,
    // The client's own spelling.
    'channel aquisition timed out': 'RabbitMQ did not answer in time; is it started, and is AMQP_URL right?',
  }
  const text = where[code ?? ''] ?? where[message] ?? message
  return { exitCode: 1, text: `failed: ${text}`, value: { state: 'failed', code: code ?? 'failed', message: text } }
}

/** What stands behind an error that only says that something has failed: of several addresses, that of the first. */
function rootOf(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors[0])
  return error instanceof TypeError && error.cause !== undefined ? rootOf(error.cause) : error
}
