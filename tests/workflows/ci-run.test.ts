/** `.ci/run` on machines of several kinds: npm and the engine are played by scripts that note what is asked of them. */
import { execFile, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ROOT } from './support/load.ts'

const PROGRAMS = {
  // Writes the report that is asked for: three tests passed, or the last one of them failed.
  npm: `echo "npm $*" >> "$WORLD/calls"
[ "$1" = ping ] && exit "\${PING:-0}"
for argument; do case "$argument" in --outputFile.json=*) report=\${argument#*=};; esac; done
[ -n "\${report:-}" ] || exit 0
[ "$3" = "\${FAILS:-}" ] && { echo '{"numPassedTests":2,"numFailedTests":1}' > "$report"; exit 1; }
[ "$3" = "\${EMPTY:-}" ] && { echo '{"numPassedTests":0,"numFailedTests":0}' > "$report"; exit 0; }
echo '{"numPassedTests":3,"numFailedTests":0}' > "$report"
[ "$3" != "\${DIES:-}" ]`,
  docker: `echo "docker $*" >> "$WORLD/calls"
[ "$1" != info ] || [ -f "$WORLD/engine" ] || kill -0 "$(cat "$DOCKER_PIDFILE")" 2>/dev/null || exit 1
case "$*" in *unleash*) exit "\${IMAGES:-0}";; esac`,
  up: `echo up >> "$WORLD/calls"
setsid sleep 60 </dev/null >/dev/null 2>&1 &
echo $! > "$DOCKER_PIDFILE"
exit "\${UP:-0}"`,
}
let world: string

beforeEach(() => {
  world = mkdtempSync(join(tmpdir(), 'banyan-ci-'))
  for (const path of ['.ci', 'Dockerfile', 'compose/infra.yaml', 'compose/changes'])
    cpSync(join(ROOT, path), join(world, 'clone', path), { recursive: true })
  mkdirSync(join(world, 'bin'))
  for (const [name, script] of Object.entries(PROGRAMS))
    writeFileSync(join(world, 'bin', name), `#!/bin/bash\n${script}\n`, { mode: 0o755 })
})
afterEach(() => {
  const [engine] = enginePids()
  if (engine) process.kill(engine, 'SIGKILL')
  rmSync(world, { recursive: true })
})

type Ended = { code: number; lines: string[]; last: string | undefined; calls: string[] }

/** @param env what is different on this machine */
async function ci(env: Record<string, string>): Promise<Ended> {
  const PATH = `${join(world, 'bin')}:${dirname(process.execPath)}:/usr/bin:/bin`
  const all = { PATH, HOME: world, WORLD: world, DOCKER_PIDFILE: join(world, 'docker.pid'), ...env }
  return await new Promise((done) => {
    execFile('bash', [join(world, 'clone/.ci/run')], { env: all }, (error, stdout, stderr) => {
      const lines = `${stderr}${stdout}`.trim().split('\n')
      const calls = readFileSync(join(world, 'calls'), 'utf8').trim().split('\n')
      done({ code: Number(error?.code ?? 0), lines, last: lines.at(-1), calls })
    })
  })
}
const withEngine = () => writeFileSync(join(world, 'engine'), '')
const up = () => ({ BANYAN_CONTAINERS_UP: join(world, 'bin/up') })
const ran = ({ calls }: Ended) => calls.flatMap((call) => call.match(/^npm run --silent (test\S*)/)?.[1] ?? [])

/** Of the engine that `up` started, where it still runs; one that has ended may still stand in the table of processes. */
function enginePids(): number[] {
  const file = join(world, 'docker.pid')
  if (!existsSync(file)) return []
  const pid = readFileSync(file, 'utf8').trim()
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', pid], { encoding: 'utf8' })
  return /^[^Z]/.test(stdout) ? [Number(pid)] : []
}

test('with an engine, the tests with containers run as well and are counted', async () => {
  withEngine()
  const ended = await ci({})
  expect(ran(ended)).toEqual(['test', 'test:containers'])
  expect(ended).toMatchObject({ code: 0, last: '6 passed, 0 failed' })
})

test('one of them that fails fails it all', async () => {
  withEngine()
  expect(await ci({ FAILS: 'test:containers' })).toMatchObject({ code: 1, last: '5 passed, 1 failed' })
})

test('a run without a single test is a failure', async () => {
  expect(await ci({ EMPTY: 'test' })).toMatchObject({ code: 1, last: '0 passed, 1 failed' })
})

test('a run that fails without a test that failed is a failure', async () => {
  expect(await ci({ DIES: 'test' })).toMatchObject({ code: 1, last: '3 passed, 1 failed' })
})

test.each<{ machine: string; env: Record<string, string>; engine?: true; why: string }>([
  { machine: 'without an engine', env: {}, why: 'no container engine answers' },
  { machine: 'without a registry', env: { PING: '1' }, engine: true, why: 'npm registry' },
  {
    machine: 'without the images to start from',
    env: { IMAGES: '1' },
    engine: true,
    why: 'unleash-server:8 is not here',
  },
  { machine: 'that was too slow', env: { SECONDS: '1040' }, engine: true, why: 's have passed' },
  // As if the images had taken all the time that there was.
  { machine: 'that had slow images', env: { IMAGES_S: '-2000', TESTS_S: '2000' }, engine: true, why: 's have passed' },
])('a machine $machine leaves them out, says why, and fails nothing', async ({ env, engine, why }) => {
  if (engine) withEngine()
  const ended = await ci(env)
  expect(ran(ended)).toEqual(['test'])
  expect(ended).toMatchObject({ code: 0, last: '3 passed, 0 failed' })
  expect(ended.lines.at(-2)).toMatch(/^== test:containers is left out: /)
  expect(ended.lines.at(-2)).toContain(why)
})

test('a script that makes an engine answer is asked, and what it started is stopped at the end', async () => {
  const ended = await ci(up())
  expect(ran(ended)).toEqual(['test', 'test:containers'])
  expect(ended.calls.indexOf('up')).toBeGreaterThan(0)
  expect(ended).toMatchObject({ code: 0, last: '6 passed, 0 failed' })
  expect(enginePids()).toEqual([])
})

test('a script that fails is no failure, and what it had started is stopped too', async () => {
  const ended = await ci({ ...up(), UP: '3' })
  expect(ran(ended)).toEqual(['test'])
  expect(ended).toMatchObject({ code: 0, last: '3 passed, 0 failed' })
  expect(ended.lines.at(-2)).toContain('bin/up ended with 3')
  expect(enginePids()).toEqual([])
})

test('an engine that answered before goes on', async () => {
  withEngine()
  await ci(up())
  expect(enginePids()).toHaveLength(1)
})
