/**
 * The servers of `compose/embedded/infra.ts` as containers of the public images, for `TEST_INFRA=containers`: said in the
 * same lines of JSON, and ended by the same sign.
 */
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { PostgreSqlContainer } from '@testcontainers/postgresql'
import { RabbitMQContainer } from '@testcontainers/rabbitmq'
import { GenericContainer, getContainerRuntimeClient, getReaper, Network, Wait } from 'testcontainers'
import { administrator, brokerDefinitions, importDefinitions } from '../../compose/provision/broker.ts'
import { inDatabase, provisionDatabase } from '../../compose/provision/database.ts'

/** First starts on a busy machine: Unleash makes its tables. */
const STARTUP_MS = 240_000
const { values } = parseArgs({ options: { sets: { type: 'string', default: '1' }, management: { type: 'boolean' } } })
/** In the order of their starts. */
const started: { stop(): Promise<unknown> }[] = []
const starting = startSets(Number(values.sets))
let stopping: Promise<void> | undefined

process.stdin.resume()
for (const end of ['end', 'close', 'error']) process.stdin.on(end, () => void stop(0))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(0))

try {
  for (const set of await starting) console.log(JSON.stringify(set))
} catch (error) {
  console.error(error)
  await stop(1)
}

async function startSets(count: number): Promise<Record<string, string>[]> {
  await doWithoutRyukWhereThereIsNone()
  return await Promise.all(Array.from({ length: count }, startSet))
}

async function startSet(): Promise<Record<string, string>> {
  const network = noted(await new Network().start())
  const [database, broker] = await Promise.all([startDatabase(), startBroker()])
  const flags = await startFlags(await provisionDatabase(database.outside, 'unleash', 'unleash'))
  return { POSTGRES_URL: database.outside, ...broker, ...flags }

  async function startDatabase() {
    const settings = ['max_connections=300', 'max_prepared_transactions=10', 'log_error_verbosity=terse']
    const container = new PostgreSqlContainer('postgres:17')
      .withUsername('postgres')
      .withPassword(newSecret())
      .withCommand(['postgres', ...settings.flatMap((setting) => ['-c', setting])])
      .withNetwork(network)
      .withNetworkAliases('postgres')
      .withStartupTimeout(STARTUP_MS)
    return { outside: inDatabase(noted(await container.start()).getConnectionUri(), 'postgres') }
  }

  async function startBroker() {
    const admin = administrator(newSecret())
    const container = new RabbitMQContainer('rabbitmq:4-management')
      .withEnvironment({ RABBITMQ_DEFAULT_USER: admin.name, RABBITMQ_DEFAULT_PASS: admin.password })
      .withStartupTimeout(STARTUP_MS)
    const running = noted(await container.start())
    const [credentials, host] = [`${admin.name}:${admin.password}`, running.getHost()]
    const api = `http://${credentials}@${host}:${running.getMappedPort(15672)}/api`
    await importDefinitions(api, brokerDefinitions([admin]))
    return { AMQP_URL: `amqp://${credentials}@${host}:${running.getMappedPort(5672)}`, RABBITMQ_API: api }
  }

  /** @param databaseUrl as this process reaches it */
  async function startFlags(databaseUrl: string) {
    const inside = new URL(databaseUrl)
    inside.host = 'postgres:5432'
    const clientToken = `*:development.${newSecret()}`
    const adminToken = `*:*.${newSecret()}`
    const container = new GenericContainer('unleashorg/unleash-server:8')
      .withEnvironment({
        DATABASE_URL: inside.href,
        DATABASE_SSL: 'false',
        INIT_BACKEND_API_TOKENS: clientToken,
        INIT_ADMIN_API_TOKENS: adminToken,
        CHECK_VERSION: 'false',
        SEND_TELEMETRY: 'false',
        LOG_LEVEL: 'warn',
      })
      .withNetwork(network)
      .withExposedPorts(4242)
      .withWaitStrategy(Wait.forHttp('/health', 4242))
      .withStartupTimeout(STARTUP_MS)
    const running = noted(await container.start())
    const url = `http://${running.getHost()}:${running.getMappedPort(4242)}/api`
    return { UNLEASH_URL: url, UNLEASH_CLIENT_TOKEN: clientToken, UNLEASH_ADMIN_TOKEN: adminToken }
  }
}

/** Ryuk removes what a killed run leaves. Where its image cannot be had, the end of this process has to be enough. */
async function doWithoutRyukWhereThereIsNone(): Promise<void> {
  if (process.env.TESTCONTAINERS_RYUK_DISABLED === 'true') return
  try {
    await getReaper(await getContainerRuntimeClient())
  } catch (error) {
    console.error(`without Ryuk, a run that is killed leaves its containers: ${(error as Error).message}`)
    process.env.TESTCONTAINERS_RYUK_DISABLED = 'true'
  }
}

function noted<T extends { stop(): Promise<unknown> }>(one: T): T {
  started.push(one)
  return one
}

function newSecret(): string {
  return randomBytes(24).toString('hex')
}

async function stop(code: number): Promise<void> {
  stopping ??= (async () => {
    await starting.catch(() => undefined)
    for (const one of started.reverse()) await one.stop()
    process.exit(code)
  })()
  await stopping
}
