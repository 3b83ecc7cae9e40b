import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { endWithRunner } from '../../../../tests/support/end-with-runner.ts'
import { PLAN, type World } from './world.ts'

const CLI = resolve(import.meta.dirname, '../../cli.ts')

/** The environment of `banyan` for a test's world, with its plan in a folder of its own. */
export async function cliEnvironment(world: World, plan = PLAN) {
  const plans = await mkdtemp(join(tmpdir(), 'banyan-plans-'))
  await writeFile(join(plans, 'goods.yaml'), plan)
  const env = {
    PATH: process.env.PATH,
    CONTROL_DATABASE_URL: world.urls.control,
    DATABASE_URL_SHOP: world.urls.shop,
    DATABASE_URL_GOODS: world.urls.goods,
    AMQP_URL: world.urls.amqp,
    BANYAN_PLANS: plans,
    LOG_LEVEL: process.env.TEST_LOG ?? 'fatal',
  }
  return { env, drop: () => rm(plans, { recursive: true }) }
}

type Env = Record<string, string | undefined>

/** `banyan run` as a process of its own, which a fail point may kill. */
export function spawnMover(env: Env, failPoints = '') {
  const child = spawn(process.execPath, [CLI, 'run'], {
    env: { ...env, FAIL_POINTS: failPoints, BANYAN_LIFELINE: 'stdin' },
    stdio: ['pipe', 'inherit', 'inherit'],
  })
  const ended = once(child, 'exit').then(([code, signal]) => (signal ?? code) as string | number)
  return {
    ended,
    signal: (signal: NodeJS.Signals) => child.kill(signal),
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** Runs one `banyan` command to its end. */
export async function banyan(env: Env, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = endWithRunner(spawn(process.execPath, [CLI, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] }))
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    err += text
  })
  const [code] = await once(child, 'close')
  return { code, out, err }
}
