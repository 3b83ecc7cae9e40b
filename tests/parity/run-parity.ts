import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

export type Report = {
  verdict: string
  reasons: string[]
  differences: unknown[]
  doubtful: unknown[]
  uncovered: string[]
  compared: number
  recorded: { asked: number; same: number }
  /** A digest of all that was asked. */
  asked: string
}

export function readReport(folder: string): Report {
  return JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as Report
}

/**
 * Runs `npm run parity` on the servers that these tests use, in databases and virtual hosts of its own.
 * @param folder where the reports go
 */
export async function parity(folder: string, ...options: string[]): Promise<{ code: number | null; said: string }> {
  const { PATH, NODE_COMPILE_CACHE, TEST_POSTGRES_URL, TEST_AMQP_URL, TEST_RABBITMQ_API } = process.env
  const child = spawn(process.execPath, [join(ROOT, 'compose/parity/main.ts'), ...options, '--report', folder], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...{ PATH, NODE_COMPILE_CACHE },
      ...{ DATABASE_URL: TEST_POSTGRES_URL, AMQP_URL: TEST_AMQP_URL, RABBITMQ_API: TEST_RABBITMQ_API },
    },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      said += part
    })
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, said }
}
