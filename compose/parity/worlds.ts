/** Isolated worlds: each side on its own databases and broker vhost, from the same seed data. */
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Child, startCommand, startNode } from '../embedded/child.ts'
import { freePorts } from '../embedded/ports.ts'
import { newPlace, openBrokerServer, startDatabaseServer } from '../embedded/servers.ts'
import { ROOT } from '../embedded/stack.ts'
import { becomesTrue, GaveUp } from '../embedded/wait.ts'
import { accountUrl } from '../provision/broker.ts'
import { connected } from '../provision/database.ts'
import { type Keys, newKeys } from '../provision/keys.ts'
import { addressVariable, commandOf, SERVICES, type ServiceRow, tablesOf } from '../provision/services.ts'
import { CONTEXTS } from './contexts.ts'
import { seedDatabases } from './databases.ts'
import { sayAlive, sweepLeftovers } from './leftovers.ts'
import { newRunName } from './run-name.ts'
import { dropAccounts, worldAccount } from './world-accounts.ts'

/** What `banyan parity --sides` reads of one side. */
export type World = {
  name: string
  url: string
  /** Made for this run alone, so that requests may write. */
  sandbox: true
  database: string
  amqp: string
  /** By how much its clock is ahead of the true one. */
  clockShiftMs: number
  identities: Record<string, unknown>
}
/** A TypeScript file, or a command in whatever language. */
type Runs = string | readonly string[]
export type Worlds = { left: World; right: World; twin?: World; stop(): Promise<void> }

/**
 * @param options.context what is compared: the monolith alone against the context's service as owner
 * @param options.twin whether a second monolith runs, to know the noise of writes
 * @param options.serviceFile another build of the service: its main.ts, from the repository's root or absolute
 * @param options.clock what every world's clock says now; it runs on from there. The true one without it
 * @param options.logs where its processes log, instead of in the folder
 * @throws when a part does not come up; what had started is stopped first
 */
export async function startWorlds(options: {
  context: string
  folder: string
  twin: boolean
  serviceFile?: string | undefined
  clock?: Date | undefined
  logs?: string | undefined
  announce: (line: string) => void
}): Promise<Worlds> {
  const context = CONTEXTS.get(options.context)
  if (!context)
    throw new Error(`no worlds are known for "${options.context}"; there are: ${[...CONTEXTS.keys()].join(', ')}`)
  const logs = options.logs ?? join(options.folder, 'logs')
  mkdirSync(logs, { recursive: true })
  const run = newRunName()
  const cleanups: (() => Promise<unknown>)[] = []
  const stop = async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean().catch((error) => options.announce(String(error)))
  }
  try {
    const place = newPlace(logs, options.announce)
    let database: Awaited<ReturnType<typeof startDatabaseServer>> | undefined
    // Stops last: the folder that goes with it holds the broker's data too.
    cleanups.push(async () => database?.child?.stop())
    const names = ['monolith', context.name, ...(options.twin ? ['twin'] : [])]
    const accounts = names.map((name) => worldAccount(run, name))
    // It takes longest to answer: databases and processes come up meanwhile, and connect to it when it does.
    const broker = await openBrokerServer(place, accounts, false)
    broker.up.catch(() => undefined)
    cleanups.push(async () => (broker.child ? broker.child.stop() : dropAccounts(broker.api ?? '', accounts)))
    const amqpOf = (world: string) => {
      const { name, password, vhost } = accounts[names.indexOf(world)]!
      return accountUrl(broker.url, name, password, vhost)
    }
    database = await startDatabaseServer(place)
    if (!database.child) cleanups.push(await sayAlive(database.url, run))
    const foreign = {
      database: database.child ? undefined : database.url,
      broker: broker.child ? undefined : broker.api,
    }
    await sweepLeftovers(foreign.database, foreign.broker, options.announce)
    // One shift for all: what is written in one world and in the other differs by what passes in between, as ever.
    const clockShiftMs = options.clock ? options.clock.getTime() - Date.now() : 0
    const databases = await seedDatabases(database.url, run, clockShiftMs)
    // A server that was started for this run goes with all that is in it.
    if (!database.child) cleanups.push(() => databases.drop())
    const callees = SERVICES.filter(({ name }) => context.calls?.includes(name))
    const keys = await newKeys(['monolith', context.name, ...callees.map(({ name }) => name)])
    const children: Child[] = []
    cleanups.push(() => Promise.all(children.map((child) => child.stop())))

    const monolith = async (name: string): Promise<World> => {
      const [url, amqp] = [await databases.copy(name), amqpOf(name)]
      const identities = identitiesOf(keys, context.name, 'monolith')
      const env = { ...signing(keys), ...(await providerOf(name, [context, ...callees])) }
      const at = await startSide(name, 'monolith/src/main.ts', url, amqp, env)
      return { name, url: at, sandbox: true, database: url, amqp, clockShiftMs, identities }
    }
    const service = async (): Promise<World> => {
      const { name } = context
      const amqp = amqpOf(name)
      const calls: Record<string, string> = {}
      for (const callee of callees) calls[addressVariable(callee.name)] = (await extracted(callee, amqp)).at
      const { url, at } = await extracted(context, amqp, calls, options.serviceFile)
      const identities = identitiesOf(keys, 'monolith', name)
      return { name, url: at, sandbox: true, database: url, amqp, clockShiftMs, identities }
    }
    /** A service as the owner of its context, with the tables that moved to it. */
    const extracted = async (row: ServiceRow, amqp: string, more: Record<string, string> = {}, file?: string) => {
      const url = await databases.extract(row.database, row.database, tablesOf(row.context))
      await connected(url, (client) =>
        client.query("update banyan.owner set owner = 'service', term = term + 1 where context = $1", [row.context]),
      )
      const key: Record<string, string> = row.calls ? { INTERNAL_KEY: keys.internalKey(row.name) } : {}
      const env = { ...envOf(row, keys), ...key, ...more, ...(await providerOf(row.name, [row])) }
      const runs = file ?? commandOf(row.name) ?? `extracted/${row.name}/src/main.ts`
      return { url, at: await startSide(row.name, runs, url, amqp, env) }
    }
    // One for each world: in a shared ledger the second world's charge of an order would be the first one's.
    const providerOf = async (world: string, rows: readonly ServiceRow[]): Promise<Record<string, string>> => {
      if (!rows.some(({ needs }) => needs?.includes('payment-provider'))) return {}
      const name = `${world}-provider`
      const key = { PAYMENT_PROVIDER_KEY: keys.paymentProviderKey }
      const env = { ...key, LEDGER_FILE: join(options.folder, `${name}.jsonl`) }
      return { ...key, PAYMENT_PROVIDER_URL: await startProcess(name, 'compose/sandbox/payment-provider/main.ts', env) }
    }
    const startSide = (name: string, runs: Runs, url: string, amqp: string, more: Record<string, string>) =>
      startProcess(name, runs, {
        TZ: 'UTC',
        LOG_LEVEL: 'warn',
        JWT_ISSUER: 'banyan-shop',
        INTERNAL_JWKS: keys.internalJwks,
        // No carrier comes within a run: when a worker does something by itself, no step can be blamed for it.
        SHIPPING_DELAY_MS: '86400000',
        ...more,
        DATABASE_URL: url,
        AMQP_URL: amqp,
      })
    const startProcess = async (name: string, runs: Runs, more: Record<string, string>): Promise<string> => {
      // One in another language may end where nobody answers yet; those on the kit connect when somebody does.
      if (typeof runs !== 'string') await broker.up
      const [port] = (await freePorts(1)) as [number]
      const env = { ...more, ...clockOf(name, runs, clockShiftMs), HOST: '127.0.0.1', PORT: String(port) }
      const log = join(logs, `${name}.log`)
      const child =
        typeof runs === 'string'
          ? startNode(name, resolve(ROOT, runs), [], env, log)
          : startCommand(name, runs, env, log, ROOT)
      children.push(child)
      const at = `http://127.0.0.1:${port}`
      const serves = async () => {
        if (!child.isRunning()) throw new GaveUp(`${name} ended while starting; its log: ${log}`)
        return (await fetch(`${at}/health/ready`, { signal: AbortSignal.timeout(2_000) })).ok
      }
      await becomesTrue(`${name} to answer (its log: ${log})`, serves, 120_000)
      return at
    }

    const starting = [monolith('monolith'), service(), ...(options.twin ? [monolith('twin')] : [])] as const
    // All of them have ended their start before any failure is told: what starts after `stop` would stay.
    await Promise.allSettled([...starting, broker.up])
    const [left, right, twin] = await Promise.all(starting)
    await broker.up
    return { left, right, ...(twin ? { twin } : {}), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What makes a process of a world read the world's clock. */
function clockOf(name: string, runs: Runs, shiftMs: number): Record<string, string> {
  if (shiftMs === 0) return {}
  if (typeof runs !== 'string')
    throw new Error(`--clock reaches processes on Node alone, and ${name} runs by a command`)
  const preload = new URL('shifted-date.ts', import.meta.url).href
  return { NODE_OPTIONS: `--import=${preload}`, CLOCK_SHIFT_MS: String(shiftMs) }
}

/** Who signs users' tokens hashes their passwords as well, here as cheaply as it goes. */
const signing = (keys: Keys) => ({ JWT_KEYS: keys.userKeys, ARGON2_MEMORY_KIB: '8', ARGON2_PASSES: '1' })

/** A world has no mail server. */
function envOf({ needs }: ServiceRow, keys: Keys): Record<string, string> {
  return needs?.includes('user-keys') ? signing(keys) : { JWT_JWKS: keys.userJwks }
}

/** Administrator, customer, and another process of the shop; the same people in every world. */
function identitiesOf(keys: Keys, caller: string, callee: string): Record<string, unknown> {
  const { keys: users } = JSON.parse(keys.userKeys) as { keys: unknown[] }
  const user = (sub: string, role: string) => ({
    sign: {
      privateJwk: users[0],
      issuer: 'banyan-shop',
      audience: 'banyan-shop',
      typ: 'at+jwt',
      claims: { sub, role },
    },
  })
  const service = {
    privateJwk: JSON.parse(keys.internalKey(caller)),
    ...{ issuer: caller, audience: callee, typ: 'internal+jwt', claims: { sub: caller } },
  }
  return { admin: user('1', 'admin'), customer: user('2', 'customer'), service: { sign: service } }
}
