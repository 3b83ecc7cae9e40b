import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, expect, test } from 'vitest'
import { listeners } from '../../tests/support/listeners.ts'
import { descendants, type Seen, stillRunning } from '../../tests/support/processes.ts'
import { becomesTrue } from './wait.ts'

type Infra = { process: ChildProcess; ports: number[]; family: Seen[]; folders: string[] }
const started: ChildProcess[] = []
const temporary = mkdtempSync(join(tmpdir(), 'infra-test-'))
afterAll(() => rmSync(temporary, { recursive: true, force: true }))

afterEach(() => {
  for (const process of started.splice(0)) process.stdin?.end()
})

async function startInfra(sets = 1): Promise<Infra> {
  const file = fileURLToPath(new URL('infra.ts', import.meta.url))
  const { DATABASE_URL: _, AMQP_URL: __, UNLEASH_URL: ___, ...env } = process.env
  const args = [file, '--management', '--sets', String(sets)]
  const child = spawn(process.execPath, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...env, TMPDIR: temporary },
  })
  started.push(child)
  const lines: Record<string, string>[] = []
  for await (const line of createInterface({ input: child.stdout })) if (lines.push(JSON.parse(line)) === sets) break
  const urls = lines.flatMap((line) => Object.values(line)).filter((value) => value.includes('://'))
  const family = descendants(child.pid ?? 0)
  const inCommands = (pattern: RegExp) => [
    ...new Set(family.flatMap((each) => pattern.exec(each.command)?.slice(-1) ?? [])),
  ]
  const epmds = inCommands(/epmd -port (\d+)/)
  const folders = inCommands(/(?:\/\w+)+\/banyan-\d+\/stack-[\w-]+/)
  expect([epmds.length, folders.length]).toEqual([sets, sets])
  return {
    process: child,
    ports: [...urls.map((url) => Number(new URL(url).port)), ...epmds.map(Number)],
    family,
    folders,
  }
}

/** Folders of logs, of those that were killed among them. */
const logs = () => readdirSync(temporary).filter((name) => name.startsWith('banyan-infra-'))

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
  await becomesTrue('its data to be removed', async () => !infra.folders.some((folder) => existsSync(folder)), 5_000)
}

/** Erlang's own port among them, which is in no URL. */
function expectLoopbackOnly(infra: Infra): void {
  const found = listeners(infra.family.map(({ pid }) => pid))
  expect(found.map(({ port }) => port)).toEqual(expect.arrayContaining(infra.ports))
  expect(found.filter(({ address }) => address !== 'loopback')).toEqual([])
}

test('two sets of servers listen on loopback alone, and a SIGKILL of the starter leaves no server, no epmd and no data behind', async () => {
  const infra = await startInfra(2)
  expect(infra.family.length).toBeGreaterThan(16)
  // Four addresses and an epmd of each set, and none of both.
  expect(new Set(infra.ports).size).toBe(10)
  expect(infra.ports.every((port) => port > 0)).toBe(true)
  for (const port of infra.ports) expect(await answers(port)).toBe(true)
  expectLoopbackOnly(infra)
  infra.process.kill('SIGKILL')
  await expectNothingLeft(infra)
})

test('two stacks run side by side, and the end of one leaves the other alone', async () => {
  const before = logs().length
  const [one, two] = await Promise.all([startInfra(), startInfra()])
  expect(one.ports.filter((port) => two.ports.includes(port))).toEqual([])
  one.process.stdin?.end()
  await expectNothingLeft(one)
  for (const port of two.ports) expect(await answers(port)).toBe(true)
  two.process.kill('SIGINT')
  await expectNothingLeft(two)
  await becomesTrue('their logs to be removed', async () => logs().length === before, 5_000)
})
