import { spawn } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { ROOT } from '../../compose/embedded/stack.ts'
import { endWithRunner } from '../support/end-with-runner.ts'
import { findPython } from '../support/python.ts'
import { blocksOfPage } from './contracts-page.ts'

const python = findPython()
const why = python ? '' : ' (skipped: no Python with psycopg2, pika, PyJWT and cryptography is to be had here)'
const commands = blocksOfPage().filter(({ language }) => language === 'sh')

// The page names Debian's interpreter; elsewhere it is the one that has what the service imports.
describe.skipIf(!python)(`the commands of docs/contracts.md${why}`, () => {
  it.each(commands)('$text', { timeout: 900_000 }, async ({ text }) => {
    const { code, said } = await run(text.replaceAll('/usr/bin/python3', python ?? ''))
    expect([code, code === 0 ? '' : said.slice(-3_000)]).toEqual([0, ''])
  })

  it('are two: parity, and the tour', () => {
    expect(commands.map(({ text }) => /npm (run parity|start)/.exec(text)?.[1])).toEqual(['run parity', 'start'])
  })
})

async function run(command: string): Promise<{ code: number | null; said: string }> {
  const bash = spawn('bash', ['-c', command], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const child = endWithRunner(bash, { group: true })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => {
      said += part
    })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, said }
}
