/** Which program a container runs, and what that program takes from its environment. */
import { type Facts, processesOf } from '../../../compose/embedded/processes.ts'
import { SERVICES, type Stage } from '../../../compose/provision/services.ts'
import { configSchema as inventory } from '../../../extracted/inventory-service/src/service.ts'
import { configSchema as notifications } from '../../../extracted/notification-service/src/service.ts'
import { configSchema as orders } from '../../../extracted/order-service/src/service.ts'
import { configSchema as payments } from '../../../extracted/payment-service/src/service.ts'
import { configSchema as shipping } from '../../../extracted/shipping-service/src/service.ts'
import { configSchema as users } from '../../../extracted/user-service/src/service.ts'
import { setupConfig } from '../../../migrations/src/setup.ts'
import { configSchema as monolith } from '../../../monolith/src/config.ts'
import { proxyConfig } from '../../../strangler-proxy/src/config.ts'
import type { Container } from './objects.ts'

/** As much of a zod schema as is used here. */
type Schema = {
  shape: object
  safeParse(env: unknown): { success: boolean; error?: { issues: { path: PropertyKey[]; message: string }[] } }
}
type Program = { schema: Schema; more?: RegExp }

const mover: Program = { schema: setupConfig, more: /^DATABASE_URL_[A-Z]+$/ }
const PROGRAMS: Record<string, Program> = {
  monolith: { schema: monolith },
  'strangler-proxy': { schema: proxyConfig },
  'inventory-service': { schema: inventory },
  'notification-service': { schema: notifications },
  'order-service': { schema: orders },
  'payment-service': { schema: payments },
  'shipping-service': { schema: shipping },
  'user-service': { schema: users },
}

/** @returns undefined for what is not configured by a schema: servers, sandboxes and scripts. */
export function programOf({ image, args = [] }: Container): Program | undefined {
  const name = /^banyan\/([a-z-]+):/.exec(image)?.[1] ?? ''
  return args[0] === 'src/cli.ts' ? mover : PROGRAMS[name]
}

/** @returns what the schema has against an environment, and whether it knows a variable. */
export function settingsOf({ schema, more }: Program, env: Readonly<Record<string, string>>) {
  // As every process reads its environment: an empty variable counts as absent.
  const parsed = schema.safeParse(Object.fromEntries(Object.entries(env).filter(([, text]) => text !== '')))
  const faults = (parsed.error?.issues ?? []).map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  return { faults, known: (name: string) => name in schema.shape || (more?.test(name) ?? false) }
}

/** Recordings are kept in a folder, which a pod with a read-only root does not have. */
const NOT_HERE = ['RECORD_FOLDER']

const any = 'x'
const facts = (stage: Stage): Facts => ({
  root: any,
  folder: any,
  stage,
  ports: Object.fromEntries(
    ['proxy', 'ops', 'payments', 'smtp', 'mailHttp', 'monolith', ...known(stage)].map((name) => [name, 1]),
  ) as Facts['ports'],
  keys: {
    userKeys: any,
    userJwks: any,
    internalKey: () => any,
    internalJwks: any,
    cookieKey: any,
    overrideKey: any,
    opsToken: any,
    console: { name: any, secret: any, operators: any },
    paymentProviderKey: any,
  },
  databases: { control: any, watch: () => any, proxy: any, side: () => ({ owner: any, app: any, mover: any }) },
  amqp: () => any,
  unleash: { url: any, clientToken: any, adminToken: any },
  admin: { email: any, password: any },
  plans: any,
})
const known = (stage: Stage) => SERVICES.filter((row) => row.since <= stage).map((row) => row.name)

/** The variables that the embedded stack gives the process of that name. */
export function tableEnvironment(name: string, stage: Stage): string[] {
  const row = processesOf(stage)
    .flat()
    .find((one) => one.name === name)
  return Object.keys(row?.env(facts(stage)) ?? {}).filter((variable) => !NOT_HERE.includes(variable))
}
