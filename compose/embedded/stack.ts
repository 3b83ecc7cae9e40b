/** A whole stack: servers → databases, accounts, keys, flags → the shop's processes; stopped in reverse, bounded. */
import { randomBytes } from 'node:crypto'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { shopAccounts, VHOST } from '../provision/broker.ts'
import { provisionDatabase } from '../provision/database.ts'
import { provisionFlags } from '../provision/flags.ts'
import { newKeys } from '../provision/keys.ts'
import { type DatabaseUrls, provisionShopDatabases } from '../provision/shop-databases.ts'
import { type Child, startNode } from './child.ts'
import { initControl, migrate } from './migrate.ts'
import { freePorts, portOr } from './ports.ts'
import { addresses, type Facts, moverEnv, type Ports, PROCESSES, type ProcessRow, type Stage } from './processes.ts'
import { newPassword } from './rabbitmq.ts'
import { newPlace, type Server, startBrokerServer, startDatabaseServer, startFlagServer } from './servers.ts'
import { writeStackEnv } from './stack-env.ts'
import { claimName, releaseName } from './stack-name.ts'
import type { UnleashLogin } from './unleash.ts'
import { becomesTrue, GaveUp } from './wait.ts'

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

export type StackOptions = {
  /** Its folder is `.banyan/<name>`, with a number behind it where a stack of that name is running. */
  name: string
  stage: Stage
  /** The well-known ports where they are free, else (and for tests) any free ones. */
  ports: 'well-known' | 'any'
  /** More environment for a process, by its name: fail points, limits. */
  env?: Record<string, Record<string, string>>
  announce: (line: string) => void
}

export type Stack = {
  readonly name: string
  readonly facts: Facts
  /** Environment of the `banyan` command line and of the playbook's blocks. */
  readonly env: Record<string, string>
  readonly databases: DatabaseUrls & { superuser: string }
  readonly brokerUrl: string
  readonly unleashLogin: UnleashLogin | undefined
  readonly logs: string
  /** A process by its name in the table of processes, or `postgres`, `rabbitmq`, `unleash` where embedded. */
  process(name: string): Child
  /** Starts an ended process again, with more environment than before if given; resolves when it is ready. */
  restart(name: string, env?: Record<string, string>): Promise<Child>
  /** Resolves with its name when a process ends that nobody stopped. */
  readonly broken: Promise<string>
  stop(): Promise<void>
}

/** @throws when a part does not come up; what had started is stopped first. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const name = claimName(ROOT, options.name)
  const folder = join(ROOT, '.banyan', name)
  const logs = join(folder, 'logs')
  const place = newPlace(logs, options.announce)
  const servers = new Map<string, Server>()
  const children = new Map<string, Child>()
  let stopped: Promise<void> | undefined
  let breaks: (name: string) => void = () => undefined
  const broken = new Promise<string>((resolve) => {
    breaks = resolve
  })
  const watch = (name: string, child: Child) => {
    children.set(name, child)
    void child.ended.then(() => {
      if (!stopped && children.get(name) === child) breaks(name)
    })
    return child
  }
  let removeEnv: (() => void) | undefined
  const stop = () => {
    stopped ??= (async () => {
      for (const child of [...children.values()].reverse()) await child.stop()
      removeEnv?.()
      releaseName(ROOT, name)
    })()
    return stopped
  }

  try {
    const passwords = { monolith: newPassword(), 'inventory-service': newPassword(), mover: newPassword() }
    const accounts = shopAccounts(passwords)
    const broker = startBrokerServer(place, accounts, false)
    const database = await startDatabaseServer(place)
    note('postgres', database)
    const flags = options.stage >= 1 ? withFlags(database.url) : Promise.resolve(undefined)
    const shop = provision(database.url, options.stage)
    const keys = newKeys(['monolith', 'inventory-service', 'proxy'])
    const settled = await Promise.allSettled([broker, flags, shop, keys])
    if (settled[0].status === 'fulfilled') note('rabbitmq', settled[0].value)
    if (settled[1].status === 'fulfilled' && settled[1].value) note('unleash', settled[1].value)
    const [brokerServer, flagServer, databases, madeKeys] = [await broker, await flags, await shop, await keys]

    const facts: Facts = {
      root: ROOT,
      folder,
      stage: options.stage,
      ports: await choosePorts(options.ports),
      keys: madeKeys,
      databases,
      amqp: {
        monolith: account(brokerServer.url, 'monolith', passwords.monolith),
        'inventory-service': account(brokerServer.url, 'inventory-service', passwords['inventory-service']),
        mover: account(brokerServer.url, 'mover', passwords.mover),
      },
      unleash: flagServer?.access,
      admin: { email: 'admin@shop.example', password: `admin-${randomBytes(6).toString('hex')}` },
    }
    const env = { ...moverEnv(facts), ...addresses(facts) }
    removeEnv = writeStackEnv(ROOT, name, env)
    const run = async (row: ProcessRow, more: Record<string, string> = {}) => {
      const whole = { HOST: '127.0.0.1', LOG_LEVEL: 'info', ...row.env(facts), ...options.env?.[row.name], ...more }
      const log = join(logs, `${row.name}.log`)
      const child = watch(row.name, startNode(row.name, join(ROOT, row.file), row.args ?? [], whole, log))
      await serves(row, child, facts, log)
      return child
    }
    // The monolith is what everybody else asks first; the others may come up beside each other.
    const rows = PROCESSES.filter((row) => row.since <= options.stage)
    const first = rows.filter((row) => row.since === 0)
    await Promise.all(first.map((row) => run(row)))
    await Promise.all(rows.filter((row) => !first.includes(row)).map((row) => run(row)))

    return {
      name,
      facts,
      env,
      databases: { ...databases, superuser: database.url },
      brokerUrl: `${brokerServer.url}/${VHOST}`,
      unleashLogin: flagServer?.login,
      logs,
      process: (name) => child(name),
      async restart(name, more) {
        if (children.has(name)) await child(name).stop({ keepData: true })
        const server = servers.get(name)
        if (server?.restart) return watch(name, await server.restart())
        const row = rows.find((each) => each.name === name)
        if (!row) throw new Error(`no process "${name}" in this stack`)
        return await run(row, more)
      },
      broken,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }

  function note(name: string, server: Server): void {
    servers.set(name, server)
    if (server.child) watch(name, server.child)
  }

  function child(name: string): Child {
    const found = children.get(name)
    if (!found) throw new Error(`no process "${name}" in this stack`)
    return found
  }

  async function withFlags(adminUrl: string) {
    const server = await startFlagServer(place, await provisionDatabase(adminUrl, 'unleash', 'unleash'))
    await provisionFlags(server.access, 'inventory')
    return server
  }
}

async function provision(adminUrl: string, stage: Stage): Promise<DatabaseUrls> {
  const databases = await provisionShopDatabases(adminUrl)
  await Promise.all([
    ...(stage >= 1 ? [initControl(ROOT, databases.control)] : []),
    migrate(ROOT, 'shop', databases.shopOwner),
    ...(stage >= 3 ? [migrate(ROOT, 'inventory', databases.inventoryOwner)] : []),
  ])
  return databases
}

async function serves(row: ProcessRow, child: Child, facts: Facts, log: string): Promise<void> {
  const url = row.ready?.(facts)
  await becomesTrue(
    `${row.name}${url ? ` to answer at ${url}` : ''} (its log: ${log})`,
    async () => {
      if (!child.isRunning()) throw new GaveUp(`${row.name} ended while starting; its log: ${log}`)
      return url === undefined || (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok
    },
    120_000,
  )
}

async function choosePorts(how: StackOptions['ports']): Promise<Ports> {
  const wished: Ports = {
    monolith: 3000,
    proxy: 8080,
    ops: 8081,
    inventory: 3002,
    payments: 4001,
    mailHttp: 4002,
    smtp: 4025,
  }
  const names = Object.keys(wished) as (keyof Ports)[]
  const any = await freePorts(names.length)
  const chosen: [keyof Ports, number][] = []
  for (const [index, name] of names.entries())
    chosen.push([name, how === 'any' ? any[index]! : await portOr(wished[name])])
  return Object.fromEntries(chosen) as Ports
}

function account(adminUrl: string, name: string, password: string): string {
  const url = new URL(adminUrl)
  url.username = name
  url.password = password
  url.pathname = `/${VHOST}`
  return url.href
}
