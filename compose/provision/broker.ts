/** RabbitMQ's accounts and what each may do, as one definitions document: imported at a start, or over HTTP. */
import { createHash, randomBytes } from 'node:crypto'

export type BrokerAccount = {
  name: string
  password: string
  tags: string[]
  /** virtual host → what it may declare, publish to and read, as regular expressions */
  permissions: Record<string, { configure: string; write: string; read: string }>
}

const EVERYTHING = { configure: '.*', write: '.*', read: '.*' }
/** Captured rows hold secrets: the lane `banyan.changes` is the mover's alone. */
const EVENTS_ONLY = '^(banyan\\.(?!changes).*|amq\\.gen.*)$'
const EVENTS = { configure: EVENTS_ONLY, write: EVENTS_ONLY, read: EVENTS_ONLY }
const MOVER = '^(banyan\\..*|amq\\.gen.*|amq\\.default)$'

export const VHOST = 'banyan'

/**
 * The accounts of the shop's processes, by least privilege: events for all, the lane of changes for the mover alone.
 * @param passwords by the process's name
 */
export function shopAccounts(passwords: Readonly<Record<string, string>>): BrokerAccount[] {
  return Object.entries(passwords).map(([name, password]) => ({
    name,
    password,
    tags: [],
    permissions: { [VHOST]: name === 'mover' ? { configure: MOVER, write: MOVER, read: MOVER } : EVENTS },
  }))
}

/** @returns The account that may do everything, for setting up and for tests. */
export function administrator(password: string): BrokerAccount {
  return { name: 'admin', password, tags: ['administrator'], permissions: { '/': EVERYTHING, [VHOST]: EVERYTHING } }
}

/** @returns What RabbitMQ's `load_definitions` and `POST /api/definitions` take; passwords only as salted hashes. */
export function brokerDefinitions(accounts: readonly BrokerAccount[]): object {
  const vhosts = new Set(accounts.flatMap((account) => Object.keys(account.permissions)))
  return {
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
  }
}

/**
 * Imports definitions into a running broker.
 * @param api the management API's base URL with the credentials of an administrator in it
 */
export async function importDefinitions(api: string, definitions: object): Promise<void> {
  const url = new URL(`${api.replace(/\/$/, '')}/definitions`)
  const secret = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  url.username = url.password = ''
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(secret).toString('base64')}`, 'content-type': 'application/json' },
    body: JSON.stringify(definitions),
  })
  if (!response.ok) throw new Error(`RabbitMQ refused the definitions: ${response.status} ${await response.text()}`)
}

/** RabbitMQ's own scheme: base64 of a 4-byte salt followed by SHA-256 of salt and password. */
function passwordHash(password: string): string {
  const salt = randomBytes(4)
  const hash = createHash('sha256').update(Buffer.concat([salt, Buffer.from(password)]))
  return Buffer.concat([salt, hash.digest()]).toString('base64')
}
