/**
 * The three servers alone, for tests: prints their addresses as a line of JSON, and ends them when stdin closes. With
 * `--management`, RabbitMQ's management API runs too; with `--sets <n>`, there are so many of each, and a line for each set.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { provisionDatabase } from '../provision/database.ts'
import { hasMade, madePrefix } from '../provision/made-databases.ts'
import {
  type BrokerServer,
  type FlagServer,
  newPlace,
  type Place,
  type Server,
  startBrokerServer,
  startDatabaseServer,
  startFlagServer,
} from './servers.ts'

type ServerSet = { database: Server; broker: BrokerServer; flags: FlagServer }

const { values } = parseArgs({
  options: { management: { type: 'boolean', default: false }, sets: { type: 'string', default: '1' } },
})
const logs = mkdtempSync(join(tmpdir(), 'banyan-infra-'))
const starting = startSets(Number(values.sets))
let started: ServerSet[] = []
let stopping: Promise<void> | undefined

process.stdin.resume()
for (const end of ['end', 'close', 'error']) process.stdin.on(end, () => void stop())
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop())

started = await starting
for (const set of started) console.log(JSON.stringify(await addresses(set)))

async function startSets(count: number): Promise<ServerSet[]> {
  const places = Array.from({ length: count }, (_, index) =>
    newPlace(join(logs, String(index + 1)), (line) => console.error(`banyan: ${line}`)),
  )
  // One after the other: the first one makes the template that the others copy.
  const databases: Promise<Server>[] = []
  for (const place of places)
    databases.push((databases.at(-1) ?? Promise.resolve()).then(() => startDatabaseServer(place)))
  return await Promise.all(places.map((place, index) => startSet(place, databases[index]!)))
}

async function startSet(place: Place, database: Promise<Server>): Promise<ServerSet> {
  const flags = async () => startFlagServer(place, await provisionDatabase((await database).url, 'unleash', 'unleash'))
  const broker = startBrokerServer(place, [], values.management)
  const all = await Promise.all([database, broker, flags()])
  return { database: all[0], broker: all[1], flags: all[2] }
}

async function addresses({ database, broker, flags }: ServerSet): Promise<Record<string, string | undefined>> {
  return {
    POSTGRES_URL: database.url,
    ...((await hasMade(database.url)) ? { MADE_DATABASES: madePrefix() } : {}),
    AMQP_URL: broker.url,
    RABBITMQ_API: broker.api,
    UNLEASH_URL: flags.access.url,
    UNLEASH_CLIENT_TOKEN: flags.access.clientToken,
    UNLEASH_ADMIN_TOKEN: flags.access.adminToken,
  }
}

async function stop(): Promise<void> {
  stopping ??= (async () => {
    const isStarted = await starting.then(
      () => true,
      () => false,
    )
    await Promise.all(
      started.map(async ({ database, broker, flags }) => {
        for (const server of [flags, broker, database]) await server.child?.stop()
      }),
    )
    // Kept where a start failed or this process was killed: then somebody wants to read them.
    if (isStarted) rmSync(logs, { recursive: true, force: true })
    process.exit(0)
  })()
  await stopping
}
