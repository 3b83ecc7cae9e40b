/** The shop's processes as a table: which file, from which stage on, with exactly which environment. */
import type { Keys } from '../provision/keys.ts'
import type { DatabaseUrls } from '../provision/shop-databases.ts'
import type { UnleashAccess } from './unleash.ts'

export type Ports = Record<'monolith' | 'proxy' | 'ops' | 'inventory' | 'payments' | 'smtp' | 'mailHttp', number>

/** All that an environment is made of. */
export type Facts = {
  root: string
  folder: string
  stage: Stage
  ports: Ports
  keys: Keys
  databases: DatabaseUrls
  amqp: Record<'monolith' | 'inventory-service' | 'mover', string>
  unleash: UnleashAccess | undefined
  admin: { email: string; password: string }
}

/** A chapter of the shop's story that has processes of its own. */
export type Stage = 0 | 1 | 3

export type ProcessRow = {
  name: string
  since: Stage
  file: string
  args?: readonly string[]
  env: (facts: Facts) => Record<string, string>
  /** Answers 200 once the process serves; without one, running is all that is asked. */
  ready?: (facts: Facts) => string
}

const at = (port: number) => `http://127.0.0.1:${port}`

/** In the order of their start; they stop in the reverse order. */
export const PROCESSES: readonly ProcessRow[] = [
  {
    name: 'payment-provider',
    since: 0,
    file: 'compose/sandbox/payment-provider/main.ts',
    env: ({ ports, keys, folder }) => ({
      PORT: String(ports.payments),
      PAYMENT_PROVIDER_KEY: keys.paymentProviderKey,
      LEDGER_FILE: `${folder}/payment-ledger.jsonl`,
    }),
    ready: ({ ports }) => `${at(ports.payments)}/health/ready`,
  },
  {
    name: 'smtp-sink',
    since: 0,
    file: 'compose/sandbox/smtp-sink/main.ts',
    env: ({ ports, folder }) => ({
      PORT: String(ports.mailHttp),
      SMTP_PORT: String(ports.smtp),
      MAILBOX_FILE: `${folder}/mailbox.jsonl`,
    }),
    ready: ({ ports }) => `${at(ports.mailHttp)}/health/ready`,
  },
  {
    name: 'monolith',
    since: 0,
    file: 'monolith/src/main.ts',
    env: (facts) => ({
      PORT: String(facts.ports.monolith),
      DATABASE_URL: facts.databases.shopApp,
      AMQP_URL: facts.amqp.monolith,
      JWT_KEYS: facts.keys.userKeys,
      JWT_ISSUER: 'banyan-shop',
      INTERNAL_KEY: facts.keys.internalKey('monolith'),
      INTERNAL_JWKS: facts.keys.internalJwks,
      PAYMENT_PROVIDER_URL: at(facts.ports.payments),
      PAYMENT_PROVIDER_KEY: facts.keys.paymentProviderKey,
      SMTP_URL: `smtp://127.0.0.1:${facts.ports.smtp}`,
      ADMIN_EMAIL: facts.admin.email,
      ADMIN_PASSWORD: facts.admin.password,
      ...(facts.stage >= 1 ? { CONTROL_DATABASE_URL: facts.databases.watch } : {}),
      ...(facts.stage >= 3 ? { INVENTORY_SERVICE_URL: at(facts.ports.inventory) } : {}),
    }),
    ready: ({ ports }) => `${at(ports.monolith)}/health/ready`,
  },
  {
    name: 'inventory-service',
    since: 3,
    file: 'extracted/inventory-service/src/main.ts',
    env: (facts) => ({
      PORT: String(facts.ports.inventory),
      DATABASE_URL: facts.databases.inventoryApp,
      CONTROL_DATABASE_URL: facts.databases.watch,
      AMQP_URL: facts.amqp['inventory-service'],
      JWT_JWKS: facts.keys.userJwks,
      JWT_ISSUER: 'banyan-shop',
      INTERNAL_KEY: facts.keys.internalKey('inventory-service'),
      INTERNAL_JWKS: facts.keys.internalJwks,
      SELF_URL: at(facts.ports.inventory),
    }),
    ready: ({ ports }) => `${at(ports.inventory)}/health/ready`,
  },
  {
    name: 'proxy',
    since: 1,
    file: 'strangler-proxy/src/main.ts',
    env: (facts) => ({
      PORT: String(facts.ports.proxy),
      OPS_PORT: String(facts.ports.ops),
      CONTROL_DATABASE_URL: facts.databases.watch,
      UNLEASH_URL: facts.unleash?.url ?? '',
      UNLEASH_TOKEN: facts.unleash?.clientToken ?? '',
      UNLEASH_ENVIRONMENT: 'development',
      ROUTES: `${facts.root}/strangler-proxy/shop/routes.yaml`,
      MONOLITH_URL: at(facts.ports.monolith),
      COOKIE_KEY: facts.keys.cookieKey,
      OVERRIDE_KEY: facts.keys.overrideKey,
      JWT_JWKS: facts.keys.userJwks,
      JWT_ISSUER: 'banyan-shop',
      OPS_TOKEN: facts.keys.opsToken,
    }),
    ready: ({ ports }) => `${at(ports.ops)}/health/ready`,
  },
  {
    name: 'mover',
    since: 3,
    file: 'migrations/src/cli.ts',
    args: ['run'],
    env: moverEnv,
  },
]

/** What the mover and every `banyan` command need; also the content of `.banyan/stack.env`. */
export function moverEnv(facts: Facts): Record<string, string> {
  return {
    CONTROL_DATABASE_URL: facts.databases.control,
    DATABASE_URL_SHOP: facts.databases.moverShop,
    DATABASE_URL_INVENTORY: facts.databases.moverInventory,
    AMQP_URL: facts.amqp.mover,
    BANYAN_PLANS: `${facts.root}/migrations/shop/plans`,
    UNLEASH_URL: facts.unleash?.url ?? '',
    UNLEASH_TOKEN: facts.unleash?.clientToken ?? '',
    UNLEASH_ADMIN_TOKEN: facts.unleash?.adminToken ?? '',
    UNLEASH_ENVIRONMENT: 'development',
  }
}

/** What people and the playbook's blocks use besides: where everything is, and who may enter. */
export function addresses(facts: Facts): Record<string, string> {
  const { ports, stage } = facts
  return {
    SHOP_URL: at(stage >= 1 ? ports.proxy : ports.monolith),
    MONOLITH_URL: at(ports.monolith),
    PAYMENTS_URL: at(ports.payments),
    MAIL_URL: at(ports.mailHttp),
    ADMIN_EMAIL: facts.admin.email,
    ADMIN_PASSWORD: facts.admin.password,
    ...(stage >= 1 ? { PROXY_URL: at(ports.proxy), OPS_URL: at(ports.ops), OPS_TOKEN: facts.keys.opsToken } : {}),
    ...(stage >= 3 ? { INVENTORY_URL: at(ports.inventory) } : {}),
  }
}
