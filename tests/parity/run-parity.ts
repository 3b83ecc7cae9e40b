import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { endWithRunner } from '../support/end-with-runner.ts'

const ROOT = join(import.meta.dirname, '../..')

export type Report = {
  verdict: string
  reasons: string[]
  differences: unknown[]
  doubtful: unknown[]
  uncovered: string[]
  onlyRefused: string[]
  compared: number
  seconds: number
  /** Of the whole time. */
  comparerShare: number
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
export function parity(folder: string, ...options: string[]): Promise<{ code: number | null; said: string }> {
  return parityIn({}, folder, ...options)
}

/**
 * @param environment of the tester itself; its worlds have their own
 * @returns `folder` as well, which a run that proved nothing leaves for its logs
 */
export async function parityIn(
  environment: Record<string, string>,
  reports: string,
  ...options: string[]
): Promise<{ code: number | null; said: string; folder: string }> {
  const { PATH, NODE_COMPILE_CACHE, TEST_POSTGRES_URL, TEST_AMQP_URL, TEST_RABBITMQ_API } = process.env
  const child = endWithRunner(
    spawn(process.execPath, [join(ROOT, 'compose/parity/main.ts'), ...options, '--report', reports], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...{ PATH, NODE_COMPILE_CACHE },
        ...{ DATABASE_URL: TEST_POSTGRES_URL, AMQP_URL: TEST_AMQP_URL, RABBITMQ_API: TEST_RABBITMQ_API },
        ...environment,
      },
    }),
  )
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      said += part
    })
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, said, folder: join(ROOT, '.banyan', `parity-${options[0]}-${child.pid}`) }
}

/**
 * The scenarios and a short generated run, in which monolith and service of the context have to be alike and every
 * operation of its contract has to be compared, and not its refusals alone.
 */
export async function expectAlike(context: string, ...options: string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
  try {
    const { code, said } = await parity(folder, context, '--seed', '3', '--coverage', ...options)
    const report = readReport(folder)
    expect(report.differences).toEqual([])
    expect(report, said).toMatchObject({ verdict: 'alike', uncovered: [], onlyRefused: [] })
    expect(code, said).toBe(0)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
