import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { expect, it } from 'vitest'
import { becomesTrue } from '../../compose/embedded/wait.ts'
import { descendants, stillRunning } from './processes.ts'

/** Stands for a test runner: it starts a shell that starts another program, and says so. */
const RUNNER = `
  import { spawn } from 'node:child_process'
  import { endWithRunner } from ${JSON.stringify(new URL('./end-with-runner.ts', import.meta.url).href)}
  endWithRunner(spawn('sh', ['-c', 'sleep 600; true'], { stdio: 'ignore', detached: true }), { group: true })
  endWithRunner(spawn('sleep', ['600'], { stdio: 'ignore' }))
  console.log('up')`

it('what a test has started ends with a runner that is killed', async () => {
  const runner = spawn(process.execPath, ['--input-type=module', '-e', RUNNER], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(createInterface({ input: runner.stdout }), 'line')
  const family = descendants(runner.pid ?? 0)
  try {
    expect(family.filter(({ command }) => command === 'sleep 600')).toHaveLength(2)
    runner.kill('SIGKILL')
    await becomesTrue('all to end', async () => stillRunning(family).length === 0, 10_000)
  } finally {
    runner.kill('SIGKILL')
    for (const { pid } of stillRunning(family)) process.kill(pid, 'SIGKILL')
  }
})
