/** Where no RabbitMQ is installed and an engine answers, a stack has RabbitMQ as a container. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import amqp from 'amqplib'
import { afterAll, afterEach, expect, test } from 'vitest'
import { findRabbit } from '../../compose/embedded/rabbitmq-files.ts'
import { becomesTrue } from '../../compose/embedded/wait.ts'
import { brokerApi } from '../../compose/provision/broker.ts'
import { docker } from './compose.ts'

const INFRA = fileURLToPath(new URL('../../compose/embedded/infra.ts', import.meta.url))
/** An installed one is hidden by mounts that nobody else sees, which takes root. */
const isInstalled = findRabbit() !== undefined
const canBeHidden = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0
const without = test.runIf(!isInstalled || canBeHidden)

const empty = mkdtempSync(join(tmpdir(), 'banyan-empty-'))
const started: ChildProcess[] = []
afterEach(() => {
  for (const process of started.splice(0)) process.stdin?.end()
})
afterAll(() => rmSync(empty, { recursive: true }))

without('the broker is a container on loopback, with its accounts, and goes with the stack', async () => {
  const { infra, amqpUrl, api } = await startInfra()
  const [container = ''] = await containersAt(amqpUrl)
  expect(await docker('inspect', '--format', '{{.Config.Image}}', container)).toBe('rabbitmq:4-management')
  const ports = (await docker('port', container)).split('\n')
  expect(ports.filter((line) => !line.includes('-> 127.0.0.1:'))).toEqual([])
  const vhosts = (await (await brokerApi(api, 'GET', 'vhosts')).json()) as { name: string }[]
  expect(vhosts.map(({ name }) => name)).toContain('banyan')
  expect(await roundTrip(`${amqpUrl}/banyan`)).toBe('hello')
  infra.stdin?.end()
  await isRemoved(amqpUrl)
})

without('and a SIGKILL of whoever started it leaves no container behind', async () => {
  const { infra, amqpUrl } = await startInfra()
  expect(await containersAt(amqpUrl)).toHaveLength(1)
  infra.kill('SIGKILL')
  await isRemoved(amqpUrl)
})

/** The servers of a stack where no RabbitMQ can be found. */
async function startInfra(): Promise<{ infra: ChildProcess; amqpUrl: string; api: string }> {
  const { DATABASE_URL: _, AMQP_URL: __, UNLEASH_URL: ___, ...env } = process.env
  const [command = '', ...args] = [...hiding(), process.execPath, INFRA]
  const infra = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env })
  started.push(infra)
  for await (const line of createInterface({ input: infra.stdout })) {
    const urls = JSON.parse(line) as Record<string, string>
    return { infra, amqpUrl: urls.AMQP_URL ?? '', api: urls.RABBITMQ_API ?? '' }
  }
  throw new Error('the servers ended before they were up; their reason stands above')
}

/** A command that runs another one where RabbitMQ is not installed; nothing where it is not installed anyway. */
function hiding(): string[] {
  if (!isInstalled) return []
  const folders = ['/usr/lib/rabbitmq', '/opt/rabbitmq'].filter((folder) => existsSync(folder))
  const launchers = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'rabbitmq-server'))
  // Where a link leads into a hidden folder, there is nothing left to hide.
  const programs = new Set(launchers.filter(isProgram).map((file) => realpathSync(file)))
  const others = [...programs].filter((file) => !folders.some((folder) => file.startsWith(`${folder}/`)))
  const mounts = [
    ...folders.map((folder) => `mount --bind '${empty}' '${folder}'`),
    ...others.map((file) => `mount --bind /dev/null '${file}'`),
  ]
  return ['unshare', '--mount', 'sh', '-c', [...mounts, 'exec "$@"'].join(' && '), 'sh']
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Those that publish the port of an address. */
async function containersAt(url: string): Promise<string[]> {
  const ids = await docker('ps', '--all', '--quiet', '--filter', `publish=${new URL(url).port}`)
  return ids.split('\n').filter(Boolean)
}

async function isRemoved(url: string): Promise<void> {
  await becomesTrue('its container to be removed', async () => (await containersAt(url)).length === 0, 40_000)
}

/** @returns what comes out of a queue of its own, of what went into it */
async function roundTrip(url: string): Promise<string | undefined> {
  const connection = await amqp.connect(url)
  try {
    const channel = await connection.createConfirmChannel()
    const { queue } = await channel.assertQueue('', { exclusive: true })
    channel.sendToQueue(queue, Buffer.from('hello'))
    await channel.waitForConfirms()
    const message = await channel.get(queue, { noAck: true })
    return message ? message.content.toString() : undefined
  } finally {
    await connection.close()
  }
}
