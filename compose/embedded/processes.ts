/** The shop's processes as a table: which file, from which stage on, with exactly which environment. */
import type { Keys } from '../provision/keys.ts'
import {
  addressVariable,
  commandOf,
  MONOLITH,
  type Need,
  type ServiceRow,
  type Stage,
  servicesOf,
} from '../provision/services.ts'
import type { DatabaseUrls } from '../provision/shop-databases.ts'
import type { UnleashAccess } from './unleash.ts'

/** Of the processes that are no service of the shop. */
type OwnPort = 'proxy' | 'ops' | 'payments' | 'smtp' | 'mailHttp'
/** By name: these, the monolith, and each service. */
export type Ports = Record<OwnPort, number> & Readonly<Record<string, number>>

export const WELL_KNOWN: Readonly<Record<OwnPort, number>> = {
  proxy: 8080,
  ops: 8081,
  payments: 4001,
  mailHttp: 4002,
  smtp: 4025,
}

/** All that an environment is made of. */
export type Facts = {
  root: string
  folder: string
  stage: Stage
  ports: Ports
  keys: Keys
  databases: DatabaseUrls
  /** The broker's URL by the account of that name. */
  amqp(account: string): string
  unleash: UnleashAccess | undefined
  admin: { email: string; password: string }
  /** The folder of the plans of this stage. */
  plans: string
}

export type ProcessRow = {
  name: string
  file: string
  args?: readonly string[]
  /** Runs this instead of the file: a program in whatever language. */
  command?: readonly string[] | undefined
  env: (facts: Facts) => Record<string, string>
  /** Answers 200 once the process serves; without one, running is all that is asked. */
  ready?: (facts: Facts) => string
}

const at = (port: number | undefined) => `http://127.0.0.1:${port}`
const readyAt = (port: number | undefined) => `${at(port)}/health/ready`

const PROVIDER: ProcessRow = {
  name: 'payment-provider',
  file: 'compose/sandbox/payment-provider/main.ts',
  env: ({ ports, keys, folder }) => ({
    PORT: String(ports.payments),
    PAYMENT_PROVIDER_KEY: keys.paymentProviderKey,
    LEDGER_FILE: `${folder}/payment-ledger.jsonl`,
  }),
  ready: ({ ports }) => readyAt(ports.payments),
}

const SINK: ProcessRow = {
  name: 'smtp-sink',
  file: 'compose/sandbox/smtp-sink/main.ts',
  env: ({ ports, folder }) => ({
    PORT: String(ports.mailHttp),
    SMTP_PORT: String(ports.smtp),
    MAILBOX_FILE: `${folder}/mailbox.jsonl`,
  }),
  ready: ({ ports }) => readyAt(ports.mailHttp),
}

const PROXY: ProcessRow = {
  name: 'proxy',
  file: 'strangler-proxy/src/main.ts',
  env: (facts) => ({
    PORT: String(facts.ports.proxy),
    OPS_PORT: String(facts.ports.ops),
    CONTROL_DATABASE_URL: facts.databases.proxy,
    UNLEASH_URL: facts.unleash?.url ?? '',
    UNLEASH_TOKEN: facts.unleash?.clientToken ?? '',
    UNLEASH_ADMIN_TOKEN: facts.unleash?.adminToken ?? '',
    UNLEASH_ENVIRONMENT: 'development',
    ROUTES: `${facts.root}/strangler-proxy/shop/routes.yaml`,
    MONOLITH_URL: at(facts.ports[MONOLITH.name]),
    COOKIE_KEY: facts.keys.cookieKey,
    OVERRIDE_KEY: facts.keys.overrideKey,
    JWT_JWKS: facts.keys.userJwks,
    JWT_ISSUER: 'banyan-shop',
    OPS_TOKEN: facts.keys.opsToken,
    CONSOLE_OPERATORS: facts.keys.console.operators,
    RECORD_FOLDER: `${facts.root}/.banyan/recordings`,
  }),
  ready: ({ ports }) => readyAt(ports.ops),
}

const MOVER: ProcessRow = { name: 'mover', file: 'migrations/src/cli.ts', args: ['run'], env: moverEnv }

/** The processes of a stage in two groups: those of the second ask those of the first. They stop in reverse. */
export function processesOf(stage: Stage): readonly [readonly ProcessRow[], readonly ProcessRow[]] {
  const services = servicesOf(stage).map(serviceProcess)
  const front = stage >= 1 ? [PROXY] : []
  return [
    [PROVIDER, SINK, MONOLITH_PROCESS],
    [...services, ...front, ...(services.length > 0 ? [MOVER] : [])],
  ]
}

/** What a need means in variables. */
const GIFTS: Record<Need, (facts: Facts) => Record<string, string>> = {
  'user-keys': ({ keys }) => ({ JWT_KEYS: keys.userKeys }),
  administrator: ({ admin }) => ({ ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password }),
  'payment-provider': ({ ports, keys }) => ({
    PAYMENT_PROVIDER_URL: at(ports.payments),
    PAYMENT_PROVIDER_KEY: keys.paymentProviderKey,
  }),
  'mail-server': ({ ports }) => ({ SMTP_URL: `smtp://127.0.0.1:${ports.smtp}` }),
}

const MONOLITH_PROCESS: ProcessRow = {
  name: MONOLITH.name,
  file: 'monolith/src/main.ts',
  env: (facts) => ({
    ...shopEnv({ ...MONOLITH, database: 'shop' }, facts),
    ...(facts.stage >= 1 ? { CONTROL_DATABASE_URL: facts.databases.watch('shop') } : {}),
  }),
  ready: ({ ports }) => readyAt(ports[MONOLITH.name]),
}

function serviceProcess(row: ServiceRow): ProcessRow {
  return {
    name: row.name,
    file: `extracted/${row.name}/src/main.ts`,
    command: commandOf(row.name),
    env: (facts) => ({
      ...shopEnv(row, facts),
      CONTROL_DATABASE_URL: facts.databases.watch(row.database),
      SELF_URL: at(facts.ports[row.name]),
    }),
    ready: ({ ports }) => readyAt(ports[row.name]),
  }
}

/** What the monolith and the services are given alike, each with its own accounts. */
function shopEnv(row: Pick<ServiceRow, 'name' | 'database' | 'needs' | 'calls'>, facts: Facts): Record<string, string> {
  const { keys, ports } = facts
  return {
    PORT: String(ports[row.name]),
    DATABASE_URL: facts.databases.side(row.database).app,
    AMQP_URL: facts.amqp(row.name),
    JWT_JWKS: keys.userJwks,
    JWT_ISSUER: 'banyan-shop',
    INTERNAL_KEY: keys.internalKey(row.name),
    INTERNAL_JWKS: keys.internalJwks,
    ...Object.assign({}, ...(row.needs ?? []).map((need) => GIFTS[need](facts))),
    ...addressesOf(row.calls ?? [], facts),
  }
}

/** Of those that the stage has. */
function addressesOf(processes: readonly string[], { ports }: Facts): Record<string, string> {
  const known = processes.filter((name) => ports[name] !== undefined)
  return Object.fromEntries(known.map((name) => [addressVariable(name), at(ports[name])]))
}

/** What the mover and every `banyan` command need; also the content of `.banyan/stack.env`. */
export function moverEnv(facts: Facts): Record<string, string> {
  const databases = ['shop', ...servicesOf(facts.stage).map((row) => row.database)]
  return {
    CONTROL_DATABASE_URL: facts.databases.control,
    ...Object.fromEntries(
      databases.map((name) => [`DATABASE_URL_${name.toUpperCase()}`, facts.databases.side(name).mover]),
    ),
    AMQP_URL: facts.amqp('mover'),
    BANYAN_PLANS: facts.plans,
    UNLEASH_URL: facts.unleash?.url ?? '',
    UNLEASH_TOKEN: facts.unleash?.clientToken ?? '',
    UNLEASH_ADMIN_TOKEN: facts.unleash?.adminToken ?? '',
    UNLEASH_ENVIRONMENT: 'development',
  }
}

function operatorsAddresses({ ports, keys }: Facts): Record<string, string> {
  const { name, secret } = keys.console
  return {
    ...{ PROXY_URL: at(ports.proxy), OPS_URL: at(ports.ops), OPS_TOKEN: keys.opsToken },
    ...{ CONSOLE_URL: `${at(ports.ops)}/console/`, CONSOLE_NAME: name, CONSOLE_SECRET: secret },
  }
}

/** What people and the playbook's blocks use besides: where everything is, and who may enter. */
export function addresses(facts: Facts): Record<string, string> {
  const { ports, stage } = facts
  return {
    SHOP_URL: at(stage >= 1 ? ports.proxy : ports[MONOLITH.name]),
    ...addressesOf([MONOLITH.name, ...servicesOf(stage).map((row) => row.name)], facts),
    PAYMENTS_URL: at(ports.payments),
    MAIL_URL: at(ports.mailHttp),
    ADMIN_EMAIL: facts.admin.email,
    ADMIN_PASSWORD: facts.admin.password,
    ...(stage >= 1 ? operatorsAddresses(facts) : {}),
  }
}
