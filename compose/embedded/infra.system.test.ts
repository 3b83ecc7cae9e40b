import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { listeners } from '../../tests/support/listeners.ts'
import { descendants, type Seen, stillRunning } from '../../tests/support/processes.ts'
import { becomesTrue } from './wait.ts'

type Infra = { process: ChildProcess; ports: number[]; family: Seen[]; folder: string }
const started: ChildProcess[] = []

afterEach(() => {
  for (const process of started.splice(0)) process.stdin?.end()
})

async function startInfra(): Promise<Infra> {
  const file = fileURLToPath(new URL('infra.ts', import.meta.url))
  const { DATABASE_URL: _, AMQP_URL: __, UNLEASH_URL: ___, ...env } = process.env
  const child = spawn(process.execPath, [file, '--management'], { stdio: ['pipe', 'pipe', 'inherit'], env })
  started.push(child)
  let text = ''
  for await (const part of child.stdout) {
    text += part
    if (text.includes('\n')) break
  }
  const urls = Object.values(JSON.parse(text) as Record<string, string>).filter((value) => value.includes('://'))
  const family = descendants(child.pid ?? 0)
  const epmd = family.map((each) => /epmd -port (\d+)/.exec(each.command)?.[1]).find(Boolean)
  const folder = family.map((each) => /\/var\/tmp\/banyan-\d+\/stack-[\w-]+/.exec(each.command)?.[0]).find(Boolean)
  return {
    process: child,
    ports: [...urls.map((url) => Number(new URL(url).port)), Number(epmd)],
    family,
    folder: folder ?? '',
  }
}

async function answers(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

async function expectNothingLeft(infra: Infra): Promise<void> {
  await becomesTrue('all processes to end', async () => stillRunning(infra.family).length === 0, 20_000).catch(() =>
    expect(stillRunning(infra.family)).toEqual([]),
  )
  for (const port of infra.ports) expect(await answers(port)).toBe(false)
  await becomesTrue('its data to be removed', async () => !existsSync(infra.folder), 5_000)
}

/** Erlang's own port among them, which is in no URL. */
function expectLoopbackOnly(infra: Infra): void {
  const found = listeners(infra.family.map(({ pid }) => pid))
  expect(found.map(({ port }) => port)).toEqual(expect.arrayContaining(infra.ports))
  expect(found.filter(({ address }) => address !== 'loopback')).toEqual([])
}

test('servers listen on loopback alone, and a SIGKILL of the starter leaves no server, no epmd and no data behind', async () => {
  const infra = await startInfra()
  expect(infra.family.length).toBeGreaterThan(8)
  expect(infra.ports.every((port) => port > 0)).toBe(true)
  for (const port of infra.ports) expect(await answers(port)).toBe(true)
  expectLoopbackOnly(infra)
  infra.process.kill('SIGKILL')
  await expectNothingLeft(infra)
})

test('two stacks run side by side, and the end of one leaves the other alone', async () => {
  const [one, two] = await Promise.all([startInfra(), startInfra()])
  expect(one.ports.filter((port) => two.ports.includes(port))).toEqual([])
  one.process.stdin?.end()
  await expectNothingLeft(one)
  for (const port of two.ports) expect(await answers(port)).toBe(true)
  two.process.kill('SIGINT')
  await expectNothingLeft(two)
})
