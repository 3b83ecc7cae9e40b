/** A whole stack: servers → databases, accounts, keys, flags → the shop's processes; stopped in reverse, bounded. */
import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { accountUrl, shopAccounts, VHOST } from '../provision/broker.ts'
import { provisionDatabase } from '../provision/database.ts'
import { provisionFlags } from '../provision/flags.ts'
import { newKeys } from '../provision/keys.ts'
import { adoptMade } from '../provision/made-databases.ts'
import { MONOLITH, type ServiceRow, type Stage, servicesOf } from '../provision/services.ts'
import { type DatabaseUrls, provisionShopDatabases } from '../provision/shop-databases.ts'
import { type Child, startCommand, startNode } from './child.ts'
import { initControl, migrate } from './migrate.ts'
import { freePorts, portOr } from './ports.ts'
import { addresses, type Facts, moverEnv, type Ports, type ProcessRow, processesOf, WELL_KNOWN } from './processes.ts'
import { newPassword } from './rabbitmq.ts'
import { newPlace, openBrokerServer, openFlagServer, type Server, startDatabaseServer } from './servers.ts'
import { openStackDoor, type StackDoor } from './stack-door.ts'
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
  /** The names of those that run now. */
  running(): string[]
  /** SIGKILL, and the wait until it has gone: an end that is meant, so `broken` does not tell of it. */
  kill(name: string): Promise<void>
  /** Starts an ended process again, with more environment than before if given; resolves when it is ready. */
  restart(name: string, env?: Record<string, string>): Promise<Child>
  /** Resolves with its name when a process ends that nobody stopped; one stopped through the door is not such. */
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
  let door: StackDoor | undefined
  const stop = () => {
    stopped ??= (async () => {
      door?.close()
      // PostgreSQL last: the folder that goes with it holds the other servers' data too.
      const database = children.get('postgres')
      for (const child of [...children.values()].reverse()) if (child !== database) await child.stop()
      await database?.stop()
      removeEnv?.()
      releaseName(ROOT, name)
    })()
    return stopped
  }

  try {
    const services = servicesOf(options.stage)
    const shopNames = [MONOLITH.name, ...services.map((row) => row.name)]
    const passwords = Object.fromEntries([...shopNames, 'mover'].map((account) => [account, newPassword()]))
    const accounts = shopAccounts(passwords)
    // Both take seconds until they answer: what needs only their addresses comes up meanwhile.
    const broker = await openBrokerServer(place, accounts, false)
    note('rabbitmq', broker)
    const database = await startDatabaseServer(place)
    note('postgres', database)
    const flags = options.stage >= 1 ? await openFlags(database.url) : undefined
    if (flags) note('unleash', flags)
    const rest = Promise.all([broker.up, flags && withFlags(flags, services)])
    // A failure is told where it is awaited, not before.
    rest.catch(() => undefined)
    const plans = copyPlans(folder, services)
    const [databases, keys] = await Promise.all([
      provision(database.url, options.stage, plans),
      newKeys([...shopNames, 'proxy']),
    ])

    const facts: Facts = {
      root: ROOT,
      folder,
      stage: options.stage,
      ports: await choosePorts(options.ports, services),
      keys,
      databases,
      amqp: (name) => accountUrl(broker.url, name, passwords[name] ?? '', VHOST),
      unleash: flags?.access,
      admin: { email: 'admin@shop.example', password: `admin-${randomBytes(6).toString('hex')}` },
      plans,
    }
    const groups = processesOf(options.stage)
    door = await openStackDoor(async (name) => {
      const ordered = groups.flat().some((row) => row.name === name) ? children.get(name) : undefined
      if (!ordered?.isRunning()) return false
      // Out of the list first: its end is meant, and nobody is told that the stack broke.
      children.delete(name)
      await ordered.stop()
      return true
    })
    const env = { ...moverEnv(facts), ...addresses(facts), ...door.env }
    removeEnv = writeStackEnv(ROOT, name, env)
    const run = async (row: ProcessRow, more: Record<string, string> = {}) => {
      const whole = { HOST: '127.0.0.1', LOG_LEVEL: 'info', ...row.env(facts), ...options.env?.[row.name], ...more }
      const log = join(logs, `${row.name}.log`)
      const started = row.command
        ? startCommand(row.name, row.command, whole, log, ROOT)
        : startNode(row.name, join(ROOT, row.file), row.args ?? [], whole, log)
      const child = watch(row.name, started)
      await serves(row, child, facts, log)
      return child
    }
    const [first, second] = groups
    await Promise.all([...first.map((row) => run(row)), rest])
    await Promise.all(second.map((row) => run(row)))

    return {
      name,
      facts,
      env,
      databases: { ...databases, superuser: database.url },
      brokerUrl: `${broker.url}/${VHOST}`,
      unleashLogin: flags?.login,
      logs,
      process: (name) => child(name),
      running: () => [...children].filter(([, each]) => each.isRunning()).map(([name]) => name),
      async kill(name) {
        const doomed = child(name)
        children.delete(name)
        doomed.signal('SIGKILL')
        await doomed.ended
      },
      async restart(name, more) {
        if (children.has(name)) await child(name).stop({ keepData: true })
        const server = servers.get(name)
        if (server?.restart) return watch(name, await server.restart())
        const row = groups.flat().find((each) => each.name === name)
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

  async function openFlags(adminUrl: string) {
    return await openFlagServer(place, await provisionDatabase(adminUrl, 'unleash', 'unleash'))
  }
}

async function withFlags(
  server: Awaited<ReturnType<typeof openFlagServer>>,
  services: readonly ServiceRow[],
): Promise<void> {
  await server.up
  await Promise.all(services.map((row) => provisionFlags(server.access, row.context)))
}

async function provision(adminUrl: string, stage: Stage, plans: string): Promise<DatabaseUrls> {
  const names = servicesOf(stage).map((row) => row.database)
  const made = await adoptMade(adminUrl, ['shop', ...names])
  const databases = await provisionShopDatabases(adminUrl, names)
  const bare = ['shop', ...names].filter((name) => !made.has(name))
  await Promise.all([
    ...(stage >= 1 ? [initControl(ROOT, databases.control, plans)] : []),
    ...bare.map((name) => migrate(ROOT, name, databases.side(name).owner)),
  ])
  return databases
}

/** Only the plans of this stage: the others speak of databases that it does not have. */
function copyPlans(folder: string, services: readonly ServiceRow[]): string {
  const plans = join(folder, 'plans')
  mkdirSync(plans, { recursive: true })
  for (const { context } of services)
    copyFileSync(join(ROOT, 'migrations/shop/plans', `${context}.yaml`), join(plans, `${context}.yaml`))
  return plans
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

async function choosePorts(how: StackOptions['ports'], services: readonly ServiceRow[]): Promise<Ports> {
  const shop = Object.fromEntries([MONOLITH, ...services].map((row) => [row.name, row.port]))
  const wished = Object.entries({ ...WELL_KNOWN, ...shop })
  const any = await freePorts(wished.length)
  const chosen: [string, number][] = []
  for (const [index, [name, port]] of wished.entries())
    chosen.push([name, how === 'any' ? any[index]! : await portOr(port)])
  return Object.fromEntries(chosen) as Ports
}
