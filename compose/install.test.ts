import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { endWithRunner } from '../tests/support/end-with-runner.ts'

/** Stands for npm: notes its start, waits for the test's word, and installs one tool; it ends with who started it. */
const NPM = `#!/usr/bin/env node
const { appendFileSync, existsSync, mkdirSync, writeFileSync } = require('node:fs')
appendFileSync('started', 'x')
const starter = process.ppid
const timer = setInterval(() => {
  if (process.ppid !== starter) process.exit(1)
  if (!existsSync('go')) return
  clearInterval(timer)
  mkdirSync('node_modules/.bin', { recursive: true })
  writeFileSync('node_modules/.bin/tool', "console.log('works')")
}, 10)
`

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'banyan-install-'))
  for (const folder of ['compose', 'bin']) mkdirSync(join(home, folder))
  copyFileSync(new URL('./run.mjs', import.meta.url), join(home, 'compose/run.mjs'))
  writeFileSync(join(home, 'package-lock.json'), '{}')
  writeFileSync(join(home, 'bin/npm'), NPM)
  chmodSync(join(home, 'bin/npm'), 0o755)
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

function start(what = ['--bin', 'tool'], more: Record<string, string> = {}) {
  const { npm_lifecycle_event: _npm, ...env } = process.env
  const child = endWithRunner(
    spawn(process.execPath, ['compose/run.mjs', ...what], {
      cwd: home,
      env: { ...env, PATH: `${join(home, 'bin')}${delimiter}${env.PATH}`, ...more },
    }),
  )
  const said = { text: '' }
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      said.text += chunk
    })
  return { child, said, ended: once(child, 'close') as Promise<[number]> }
}

const until = async (what: string, seen: () => boolean): Promise<void> => {
  for (const end = Date.now() + 20_000; !seen(); ) {
    if (Date.now() > end) throw new Error(`not within 20 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
const installs = () => (existsSync(join(home, 'started')) ? readFileSync(join(home, 'started'), 'utf8').length : 0)

test('two starts at once install once: the second waits for the first, and both work', async () => {
  const first = start()
  await until('the first to install', () => installs() === 1)
  const second = start()
  await until('the second to wait', () => second.said.text.includes('another start is installing'))
  writeFileSync(join(home, 'go'), '')
  expect([(await first.ended)[0], (await second.ended)[0]]).toEqual([0, 0])
  expect([first.said.text, second.said.text].map((text) => text.includes('works'))).toEqual([true, true])
  expect(installs()).toBe(1)
})

test('an install that was killed keeps nobody waiting', async () => {
  writeFileSync(join(home, 'go'), '')
  const gone = spawn(process.execPath, ['--version'])
  await once(gone, 'close')
  mkdirSync(join(home, '.banyan'))
  writeFileSync(join(home, '.banyan/install.lock'), String(gone.pid))
  const next = start()
  expect((await next.ended)[0]).toBe(0)
  expect(installs()).toBe(1)
  expect(existsSync(join(home, '.banyan/install.lock'))).toBe(false)
})

test('what is started knows when the command was given: when npm began, or else this start', async () => {
  writeFileSync(join(home, 'go'), '')
  writeFileSync(join(home, 'show.mjs'), 'console.log(`given at ${process.env.BANYAN_STARTED_AT}`)')
  const givenAt = async (more?: Record<string, string>) => {
    const { said, ended } = start(['show.mjs'], more)
    await ended
    return Number(/given at (\d+)/.exec(said.text)?.[1])
  }
  const began = Date.now()
  expect(await givenAt()).toBeGreaterThan(began - 100)
  // This test stands for npm. Where a system does not show when a process began, it is the start again.
  const here = Date.now() - process.uptime() * 1000
  const byNpm = await givenAt({ npm_lifecycle_event: 'start' })
  if (!existsSync('/proc/self/stat')) return expect(byNpm).toBeGreaterThan(began - 100)
  expect(byNpm).toBeGreaterThan(here - 30_000)
  expect(byNpm).toBeLessThan(here + 100)
})
