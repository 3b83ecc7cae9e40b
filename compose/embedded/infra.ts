/**
 * The three servers alone, for tests: prints their addresses as one line of JSON, and ends them when stdin closes.
 * With `--management`, RabbitMQ's management API runs too.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { provisionDatabase } from '../provision/database.ts'
import { hasMade, madePrefix } from '../provision/made-databases.ts'
import { newPlace, type Server, startBrokerServer, startDatabaseServer, startFlagServer } from './servers.ts'

const logs = mkdtempSync(join(tmpdir(), 'banyan-infra-'))
const place = newPlace(logs, (line) => console.error(`banyan: ${line}`))
const starting = Promise.all([startBrokerServer(place, [], process.argv.includes('--management')), databaseAndFlags()])
const servers: Server[] = []
let stopping: Promise<void> | undefined

process.stdin.resume()
for (const end of ['end', 'close', 'error']) process.stdin.on(end, () => void stop())
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop())

const [broker, [database, flags]] = await starting
servers.push(flags, broker, database)
console.log(
  JSON.stringify({
    POSTGRES_URL: database.url,
    ...((await hasMade(database.url)) ? { MADE_DATABASES: madePrefix() } : {}),
    AMQP_URL: broker.url,
    RABBITMQ_API: broker.api,
    UNLEASH_URL: flags.access.url,
    UNLEASH_CLIENT_TOKEN: flags.access.clientToken,
    UNLEASH_ADMIN_TOKEN: flags.access.adminToken,
  }),
)

async function databaseAndFlags() {
  const server = await startDatabaseServer(place)
  const url = await provisionDatabase(server.url, 'unleash', 'unleash')
  return [server, await startFlagServer(place, url)] as const
}

async function stop(): Promise<void> {
  stopping ??= (async () => {
    await starting.catch(() => undefined)
    for (const server of servers) await server.child?.stop()
    process.exit(0)
  })()
  await stopping
}
