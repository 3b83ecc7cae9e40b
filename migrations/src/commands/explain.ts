import { ConfigError } from '@banyan/kit/service/config'
import { MistakesError } from '@banyan/kit/yaml'
import { CalledBack } from './called-back.ts'
import { Refused } from './refused.ts'

/** What a failure means to the caller: an exit code, words for people, and an object for `--json`. */
export function explain(error: unknown): { exitCode: 1 | 2; text: string; value: Record<string, unknown> } {
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
  const { code, address, port } = error as { code?: string; address?: string; port?: number }
  const where =
    code === 'ECONNREFUSED' ? `nothing listens at ${address}:${port}; is it started, and is the URL right?` : message
  return { exitCode: 1, text: `failed: ${where}`, value: { state: 'failed', code: code ?? 'failed', message: where } }
}
