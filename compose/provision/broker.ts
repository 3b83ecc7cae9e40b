/** RabbitMQ's accounts and what each may do, as one definitions document: imported at a start, or over HTTP. */
import { createHash, randomBytes } from 'node:crypto'
import { MONOLITH, SERVICES, type ServiceRow } from './services.ts'

export type BrokerAccount = {
  name: string
  password: string
  tags: string[]
  /** virtual host → what it may declare, publish to and read, as regular expressions */
  permissions: Record<string, Permissions>
  /** The events that it may tell, by type, of those exchanges that it may write to; any where nothing is said. */
  tells?: readonly string[]
}

type Permissions = { configure: string; write: string; read: string }

export const EVERYTHING: Permissions = { configure: '.*', write: '.*', read: '.*' }

export const VHOST = 'banyan'

/**
 * The accounts of the shop's processes, by least privilege: each has the queues of its own contexts. Captured rows hold
 * secrets, so their lane `banyan.changes` is the mover's alone.
 * @param passwords by the process's name
 */
export function shopAccounts(passwords: Readonly<Record<string, string>>): BrokerAccount[] {
  return Object.entries(passwords).map(([name, password]) => ({
    name,
    password,
    tags: [],
    ...(name === 'mover'
      ? { permissions: { [VHOST]: MOVER }, tells: [] }
      : {
          permissions: { [VHOST]: permissionsOf(rowsOf(name).map((row) => row.context)) },
          tells: rowsOf(name).flatMap((row) => row.tells),
        }),
  }))
}

/** The lanes of changes, and what `banyan dlq` needs: to look at dead letters and to put them back where they died. */
const MOVER: Permissions = {
  configure: anyOf('banyan\\.changes(\\..+)?'),
  write: anyOf('banyan\\.changes(\\..+)?', 'amq\\.default'),
  read: anyOf('banyan\\.changes(\\..+)?', 'banyan\\.[a-z-]+\\.dead'),
}

/** To bind a queue takes the right to write to it and to read the exchange. */
function permissionsOf(contexts: readonly string[]): Permissions {
  const queues = contexts.map((context) => `banyan\\.${context}`)
  const dead = queues.map((queue) => `${queue}\\.dead`)
  const exchanges = ['banyan\\.events', 'banyan\\.dead']
  return {
    configure: anyOf(...queues, ...dead),
    write: anyOf(...exchanges, ...queues, ...dead),
    read: anyOf(...exchanges, ...queues),
  }
}

/** The monolith's contexts are all of them: each comes back to it when its service is rolled back. */
function rowsOf(process: string): readonly ServiceRow[] {
  const rows = process === MONOLITH.name ? SERVICES : SERVICES.filter((row) => row.name === process)
  if (rows.length === 0) throw new Error(`${process} is no process of the shop: what may it do at the broker?`)
  return rows
}

function anyOf(...names: string[]): string {
  return `^(${names.join('|')})$`
}

/** @returns The account that may do everything, for setting up and for tests. */
export function administrator(password: string): BrokerAccount {
  return { name: 'admin', password, tags: ['administrator'], permissions: { '/': EVERYTHING, [VHOST]: EVERYTHING } }
}

/** @returns The broker's URL as an account uses it. @param adminUrl anybody's URL of the same broker */
export function accountUrl(adminUrl: string, name: string, password: string, vhost: string): string {
  const url = new URL(adminUrl)
  url.username = name
  url.password = password
  url.pathname = `/${vhost}`
  return url.href
}

/**
 * What processes share is made here, so that none of them needs the right to make it, or to delete it.
 * @param vhost where the events go
 * @returns What RabbitMQ's `load_definitions` and `POST /api/definitions` take; passwords only as salted hashes.
 */
export function brokerDefinitions(accounts: readonly BrokerAccount[], vhost = VHOST): object {
  const vhosts = new Set([vhost, ...accounts.flatMap((account) => Object.keys(account.permissions))])
  return {
    ...sharedObjects(vhost),
    vhosts: [...vhosts].map((name) => ({ name })),
    users: accounts.map(({ name, password, tags }) => ({
      name,
      password_hash: passwordHash(password),
      hashing_algorithm: 'rabbit_password_hashing_sha256',
      tags: tags.join(','),
      limits: {},
    })),
    permissions: accounts.flatMap(({ name: user, permissions }) =>
      Object.entries(permissions).map(([vhost, rights]) => ({ user, vhost, ...rights })),
    ),
    topic_permissions: accounts.flatMap(({ name: user, permissions, tells }) =>
      tells === undefined
        ? []
        : Object.keys(permissions).map((place) => ({
            user,
            vhost: place,
            exchange: 'banyan.events',
            write: anyOf(...tells),
            read: '.*',
          })),
    ),
  }
}

/** The two exchanges of events, and the archive that takes what no context asks for: as the kit declares them. */
function sharedObjects(vhost: string): object {
  const lasting = { vhost, durable: true, auto_delete: false }
  const limits = { 'x-message-ttl': 24 * 3_600_000, 'x-max-length': 100_000, 'x-overflow': 'drop-head' }
  const archive = { 'x-queue-type': 'quorum', 'x-delivery-limit': 1_000_000, ...limits }
  const bound = { source: 'banyan.events', destination: 'banyan.archive', destination_type: 'queue', routing_key: '#' }
  return {
    exchanges: [
      { name: 'banyan.events', type: 'topic', internal: false, arguments: {}, ...lasting },
      { name: 'banyan.dead', type: 'direct', internal: false, arguments: {}, ...lasting },
    ],
    queues: [{ name: 'banyan.archive', arguments: archive, ...lasting }],
    bindings: [{ vhost, arguments: {}, ...bound }],
  }
}

/**
 * Imports definitions into a running broker.
 * @param api the management API's base URL with the credentials of an administrator in it
 */
export async function importDefinitions(api: string, definitions: object): Promise<void> {
  const response = await brokerApi(api, 'POST', 'definitions', definitions)
  if (!response.ok) throw new Error(`RabbitMQ refused the definitions: ${response.status} ${await response.text()}`)
}

/** Asks the management API. @param api as above @param path without a leading slash */
export async function brokerApi(api: string, method: string, path: string, body?: object): Promise<Response> {
  const url = new URL(`${api.replace(/\/$/, '')}/${path}`)
  const secret = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  url.username = url.password = ''
  return await fetch(url, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(secret).toString('base64')}`,
      'content-type': 'application/json',
      // It gives up idle connections by itself, and a busy client notices that only when its next question is lost.
      connection: 'close',
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
}

/** RabbitMQ's own scheme: base64 of a 4-byte salt followed by SHA-256 of salt and password. */
function passwordHash(password: string): string {
  const salt = randomBytes(4)
  const hash = createHash('sha256').update(Buffer.concat([salt, Buffer.from(password)]))
  return Buffer.concat([salt, hash.digest()]).toString('base64')
}
