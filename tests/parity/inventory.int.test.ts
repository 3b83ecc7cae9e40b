import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Report = { verdict: string; reasons: string[]; differences: unknown[]; uncovered: string[]; compared: number }

describe('inventory in the monolith and as a service', () => {
  it('are alike by the scenarios and a short generated run, which covers the whole contract', async () => {
    const { code, said } = await parity('inventory', '--requests', '150', '--seed', '3', '--coverage')
    const text = readFileSync(join(folder, 'report.json'), 'utf8')
    const report = JSON.parse(text) as Report
    expect(report.differences).toEqual([])
    expect(report).toMatchObject({ verdict: 'alike', uncovered: [] })
    expect(code, said).toBe(0)
    expect(report.compared).toBeGreaterThan(150)
    for (const file of ['report.json', 'report.html', 'junit.xml'])
      expect(readFileSync(join(folder, file), 'utf8')).not.toMatch(/eyJ[\w-]+\.|"d":"|Bearer /)
    expect(said).not.toMatch(/eyJ[\w-]+\./)
  }, 240_000)

  it('prove nothing where nothing can be compared', async () => {
    expect((await parity('no-such-context')).code).toBe(2)
  })
})

/** Runs `npm run parity` on the servers that these tests use, in databases and virtual hosts of its own. */
async function parity(...options: string[]): Promise<{ code: number | null; said: string }> {
  const { PATH, TEST_POSTGRES_URL, TEST_AMQP_URL, TEST_RABBITMQ_API } = process.env
  const child = spawn(process.execPath, [join(ROOT, 'compose/parity/main.ts'), ...options, '--report', folder], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH, DATABASE_URL: TEST_POSTGRES_URL, AMQP_URL: TEST_AMQP_URL, RABBITMQ_API: TEST_RABBITMQ_API },
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
