/** The Secrets that k8s/ refers to, made afresh: each process its own, under the names of its environment variables. */
import { randomBytes } from 'node:crypto'
import { administrator, brokerDefinitions, shopAccounts, VHOST } from '../provision/broker.ts'
import { newKeys } from '../provision/keys.ts'
import { MONOLITH, type Need, SERVICES, type ServiceRow } from '../provision/services.ts'

export type Secret = {
  apiVersion: 'v1'
  kind: 'Secret'
  metadata: { name: string; namespace: string }
  type: string
  stringData: Record<string, string>
}

const NAMESPACE = 'banyan'
/** Hexadecimal: it stands in URLs and in SQL as it is. */
const newPassword = () => randomBytes(18).toString('hex')
const postgres = (user: string, password: string, database: string) =>
  `postgres://${user}:${password}@postgres.banyan.svc:5432/${database}`

/**
 * Secrets of all stages at once, so that no later stage renews what an earlier one uses.
 * Every value is new in every run: applied over others, they rotate everything.
 */
export async function newSecrets(): Promise<Secret[]> {
  const rows = [{ ...MONOLITH, database: 'shop' }, ...SERVICES]
  const keys = await newKeys([...rows.map((row) => row.name), 'proxy'])
  const brokerPasswords = Object.fromEntries([...rows.map((row) => row.name), 'mover'].map(withPassword))
  const amqp = (account: string) => `amqp://${account}:${brokerPasswords[account]}@rabbitmq.banyan.svc:5672/${VHOST}`
  const [superuser, control, watch, proxy, mover] = Array.from({ length: 5 }, newPassword) as [string, ...string[]]
  const watchUrl = postgres('banyan_watch', watch!, 'banyan_control')
  const controlUrl = postgres('banyan_control', control!, 'banyan_control')
  const flags = { client: `*:development.${newPassword()}`, admin: `*:*.${newPassword()}`, owner: newPassword() }
  const gifts: Record<Need, Record<string, string>> = {
    'user-keys': { JWT_KEYS: keys.userKeys },
    administrator: { ADMIN_EMAIL: 'admin@shop.example', ADMIN_PASSWORD: newPassword() },
    'payment-provider': { PAYMENT_PROVIDER_KEY: keys.paymentProviderKey },
    'mail-server': {},
  }

  const ofProcess = (row: Pick<ServiceRow, 'name' | 'database' | 'needs'>): Secret[] => {
    const [owner, app] = [newPassword(), newPassword()]
    const { name, database } = row
    const own = {
      DATABASE_URL: postgres(`${database}_app`, app, database),
      AMQP_URL: amqp(name),
      JWT_JWKS: keys.userJwks,
      INTERNAL_KEY: keys.internalKey(name),
      INTERNAL_JWKS: keys.internalJwks,
      ...Object.assign({}, ...(row.needs ?? []).map((need) => gifts[need])),
    }
    const watching = { CONTROL_DATABASE_URL: watchUrl }
    return [
      ...(name === MONOLITH.name
        ? [secret(name, own), secret(`${name}-control`, watching)]
        : [secret(name, { ...own, ...watching })]),
      secret(`database-${database}`, { OWNER_PASSWORD: owner, APP_PASSWORD: app }),
      secret(`schema-${database}`, { DATABASE_URL: postgres(`${database}_owner`, owner, database) }),
      secret(`mover-${database}`, {
        [`DATABASE_URL_${database.toUpperCase()}`]: postgres('banyan_mover', mover!, database),
      }),
    ]
  }

  return [
    secret('postgres-superuser', { username: 'postgres', password: superuser }, 'kubernetes.io/basic-auth'),
    secret('rabbitmq', {
      'definitions.json': JSON.stringify(
        brokerDefinitions([...shopAccounts(brokerPasswords), administrator(newPassword())]),
      ),
    }),
    secret('payment-provider', gifts['payment-provider']),
    ...rows.flatMap(ofProcess),
    secret('database-control', {
      CONTROL_PASSWORD: control!,
      WATCH_PASSWORD: watch!,
      PROXY_PASSWORD: proxy!,
      MOVER_PASSWORD: mover!,
    }),
    secret('control', { CONTROL_DATABASE_URL: controlUrl }),
    secret('database-unleash', { OWNER_PASSWORD: flags.owner }),
    secret('unleash', {
      DATABASE_URL: postgres('unleash', flags.owner, 'unleash'),
      INIT_BACKEND_API_TOKENS: flags.client,
      INIT_ADMIN_API_TOKENS: flags.admin,
      UNLEASH_DEFAULT_ADMIN_USERNAME: 'admin',
      UNLEASH_DEFAULT_ADMIN_PASSWORD: newPassword(),
    }),
    secret('flags', { UNLEASH_ADMIN_TOKEN: flags.admin }),
    secret('proxy', {
      CONTROL_DATABASE_URL: postgres('banyan_proxy', proxy!, 'banyan_control'),
      UNLEASH_TOKEN: flags.client,
      COOKIE_KEY: keys.cookieKey,
      OVERRIDE_KEY: keys.overrideKey,
      JWT_JWKS: keys.userJwks,
      OPS_TOKEN: keys.opsToken,
    }),
    secret('mover', {
      CONTROL_DATABASE_URL: controlUrl,
      AMQP_URL: amqp('mover'),
      UNLEASH_TOKEN: flags.client,
      UNLEASH_ADMIN_TOKEN: flags.admin,
    }),
  ]
}

function withPassword(name: string): [string, string] {
  return [name, newPassword()]
}

function secret(name: string, stringData: Record<string, string>, type = 'Opaque'): Secret {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: NAMESPACE }, type, stringData }
}
