/** The secrets of a deployed stack, made afresh: each process its own, under the names of its environment variables. */
import { randomBytes } from 'node:crypto'
import { administrator, brokerDefinitions, shopAccounts, VHOST } from './broker.ts'
import { newKeys } from './keys.ts'
import { MONOLITH, type Need, SERVICES, type ServiceRow, WATCHERS, watcherOf } from './services.ts'

/** By the secret's name: variables, or the content of a file. */
export type Secrets = Record<string, Record<string, string>>

/** Hexadecimal: it stands in URLs and in SQL as it is. */
const newPassword = () => randomBytes(18).toString('hex')

/** `shop_owner` → `PASSWORD_OF_SHOP_OWNER`. */
export const passwordVariable = (role: string): string => `PASSWORD_OF_${role.toUpperCase()}`

/**
 * Secrets of all stages at once, so that no later stage renews what an earlier one uses.
 * Every value is new in every run: put in the place of others, they rotate everything.
 * @param hosts where PostgreSQL and RabbitMQ will be
 */
export async function newSecrets(hosts: { postgres: string; rabbitmq: string }): Promise<Secrets> {
  const rows = [{ ...MONOLITH, database: 'shop' }, ...SERVICES]
  const keys = await newKeys([...rows.map((row) => row.name), 'proxy'])
  const brokerPasswords = Object.fromEntries([...rows.map((row) => row.name), 'mover'].map(withPassword))
  const amqp = (account: string) => `amqp://${account}:${brokerPasswords[account]}@${hosts.rabbitmq}:5672/${VHOST}`
  const sides = rows.flatMap(({ database }) => [`${database}_owner`, `${database}_app`])
  const watchers = WATCHERS.map(({ role }) => role)
  const plain = ['postgres', 'banyan_control', 'banyan_proxy', 'banyan_mover', 'unleash']
  const passwords = Object.fromEntries([...plain, ...sides, ...watchers].map(withPassword))
  const postgres = (role: string, database: string) =>
    `postgres://${role}:${passwords[role]}@${hosts.postgres}:5432/${database}`
  /** What makes these roles is told their passwords. */
  const told = (...roles: string[]) =>
    Object.fromEntries(roles.map((role) => [passwordVariable(role), passwords[role] as string]))
  const controlling = { CONTROL_DATABASE_URL: postgres('banyan_control', 'banyan_control') }
  const flags = { client: `*:development.${newPassword()}`, admin: `*:*.${newPassword()}` }
  const gifts: Record<Need, Record<string, string>> = {
    'user-keys': { JWT_KEYS: keys.userKeys },
    administrator: { ADMIN_EMAIL: 'admin@shop.example', ADMIN_PASSWORD: newPassword() },
    'payment-provider': { PAYMENT_PROVIDER_KEY: keys.paymentProviderKey },
    'mail-server': {},
  }

  const ofProcess = ({ name, database, needs }: Pick<ServiceRow, 'name' | 'database' | 'needs'>): Secrets => {
    const watching = { CONTROL_DATABASE_URL: postgres(watcherOf(database), 'banyan_control') }
    const own = {
      DATABASE_URL: postgres(`${database}_app`, database),
      AMQP_URL: amqp(name),
      JWT_JWKS: keys.userJwks,
      INTERNAL_KEY: keys.internalKey(name),
      INTERNAL_JWKS: keys.internalJwks,
      ...Object.assign({}, ...(needs ?? []).map((need) => gifts[need])),
    }
    return {
      // The monolith follows ownership from stage 1 on; what it needs for that stands apart.
      ...(name === MONOLITH.name
        ? { [name]: own, [`${name}-control`]: watching }
        : { [name]: { ...own, ...watching } }),
      [`database-${database}`]: told(`${database}_owner`, `${database}_app`, 'banyan_mover'),
      [`schema-${database}`]: { DATABASE_URL: postgres(`${database}_owner`, database) },
      [`mover-${database}`]: { [`DATABASE_URL_${database.toUpperCase()}`]: postgres('banyan_mover', database) },
    }
  }

  return {
    'postgres-superuser': {
      username: 'postgres',
      password: passwords.postgres as string,
      DATABASE_URL: postgres('postgres', 'postgres'),
    },
    rabbitmq: {
      'definitions.json': JSON.stringify(
        brokerDefinitions([...shopAccounts(brokerPasswords), administrator(newPassword())]),
      ),
    },
    'payment-provider': gifts['payment-provider'],
    shoppers: gifts.administrator,
    ...Object.assign({}, ...rows.map(ofProcess)),
    'database-control': told('banyan_control', ...watchers, 'banyan_proxy'),
    control: controlling,
    'database-unleash': told('unleash'),
    unleash: {
      DATABASE_URL: postgres('unleash', 'unleash'),
      INIT_BACKEND_API_TOKENS: flags.client,
      INIT_ADMIN_API_TOKENS: flags.admin,
      UNLEASH_DEFAULT_ADMIN_USERNAME: 'admin',
      UNLEASH_DEFAULT_ADMIN_PASSWORD: newPassword(),
    },
    flags: { UNLEASH_ADMIN_TOKEN: flags.admin },
    // For people, and for no container: the proxy knows the hash alone.
    'console-login': { CONSOLE_NAME: keys.console.name, CONSOLE_SECRET: keys.console.secret },
    proxy: {
      CONTROL_DATABASE_URL: postgres('banyan_proxy', 'banyan_control'),
      UNLEASH_TOKEN: flags.client,
      UNLEASH_ADMIN_TOKEN: flags.admin,
      COOKIE_KEY: keys.cookieKey,
      OVERRIDE_KEY: keys.overrideKey,
      JWT_JWKS: keys.userJwks,
      OPS_TOKEN: keys.opsToken,
      CONSOLE_OPERATORS: keys.console.operators,
    },
    // Of what the proxy holds the one thing by which its operators' listener is asked.
    tools: { OPS_TOKEN: keys.opsToken },
    mover: {
      ...controlling,
      AMQP_URL: amqp('mover'),
      UNLEASH_TOKEN: flags.client,
      UNLEASH_ADMIN_TOKEN: flags.admin,
    },
  }
}

function withPassword(name: string): [string, string] {
  return [name, newPassword()]
}
