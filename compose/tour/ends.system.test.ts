import { type ChildProcess, spawn } from 'node:child_process'
import { afterEach, expect, test } from 'vitest'
import { endWithRunner } from '../../tests/support/end-with-runner.ts'
import { descendants, type Seen, stillRunning } from '../../tests/support/processes.ts'
import { ROOT } from '../embedded/stack.ts'
import { becomesTrue } from '../embedded/wait.ts'

const running: ChildProcess[] = []

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
})

/** `npm start`, as at a terminal of its own: Ctrl-C there reaches the whole group. */
async function npmStart(): Promise<{ npm: ChildProcess; family: Seen[] }> {
  const { DATABASE_URL: _, AMQP_URL: __, UNLEASH_URL: ___, ...env } = process.env
  const args = ['start', '--', '--auto', '--through', '0-monolith', '--rate', '5', '--stay']
  const npm = spawn('npm', args, { cwd: ROOT, env, detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  running.push(endWithRunner(npm, { group: true }))
  let said = ''
  npm.stdout.on('data', (part) => {
    said += part
  })
  await becomesTrue('the shoppers to be let in', async () => said.includes('shoppers are let in'), 240_000)
  return { npm, family: descendants(npm.pid ?? 0) }
}

async function expectAllEnded(family: Seen[]): Promise<void> {
  await becomesTrue('every process to end', async () => stillRunning(family).length === 0, 40_000).catch(() =>
    expect(stillRunning(family)).toEqual([]),
  )
}

const named = (family: Seen[], part: string) => family.find((one) => one.command.includes(part))

test('Ctrl-C stops everything that npm start has started', async () => {
  const { npm, family } = await npmStart()
  for (const part of ['bin/postgres', 'rabbitmq', 'epmd', 'monolith/src/main.ts', 'tour/main.ts'])
    expect([part, named(family, part) !== undefined]).toEqual([part, true])
  process.kill(-(npm.pid ?? 0), 'SIGINT')
  await expectAllEnded(family)
})

test('a SIGKILL of npm leaves nothing behind', async () => {
  const { npm, family } = await npmStart()
  npm.kill('SIGKILL')
  await expectAllEnded(family)
})

test('a SIGKILL of the tour itself leaves nothing behind', async () => {
  const { family } = await npmStart()
  const tour = family.filter((one) => one.command.includes('compose/tour/main.ts')).at(-1)
  process.kill(tour?.pid ?? 0, 'SIGKILL')
  await expectAllEnded(family)
})
