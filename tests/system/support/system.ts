/** The whole shop of a stage as processes of their own, one context that is moved, and the hands that a fault needs. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { type Child, startNode } from '../../../compose/embedded/child.ts'
import { moverEnv } from '../../../compose/embedded/processes.ts'
import { ROOT, type Stack, startStack } from '../../../compose/embedded/stack.ts'
import type { Places } from '../../../compose/ledger/held.ts'
import { placesOf } from '../../../compose/ledger/places.ts'
import { SERVICES } from '../../../compose/provision/services.ts'

export type System = {
  readonly stack: Stack
  /** The one that is moved. */
  readonly context: string
  /** Its service's database. */
  readonly database: string
  /** The control database as its owner, and both sides as the applications' own roles. */
  readonly control: pg.Pool
  readonly sides: Record<Side, pg.Pool>
  readonly superuser: (database: string) => string
  readonly places: Places
  /** SIGKILL, and the wait until the kernel has taken it away. */
  kill(name: string): Promise<void>
  /** A second mover, with the environment of the first. */
  startMover(name: string, env?: Record<string, string>): Child
  /** The same stack, looked at as the move of another of its contexts. */
  seenAs(context: string): System
  stop(): Promise<void>
}

/** A mover that starts a hundred times need not read its sources anew each time. */
const COMPILED = { NODE_COMPILE_CACHE: join(tmpdir(), 'banyan-test-compiled') }

export type Side = 'monolith' | 'service'

/**
 * @param name of the stack's folder
 * @param env more environment for a process, by its name
 * @param context which is moved; the stack has the services of its stage
 */
export async function startSystem(
  name: string,
  env: Record<string, Record<string, string>> = {},
  context = 'inventory',
): Promise<System> {
  const row = rowOfContext(context)
  const stack = await startStack({
    name: `test-${name}`,
    stage: row.since,
    ports: 'any',
    env: { ...env, mover: { ...COMPILED, ...env.mover } },
    announce: (line) => console.error(`system: ${line}`),
  })
  const { databases, facts } = stack
  const pool = (connectionString: string, max: number) => {
    const made = new pg.Pool({ connectionString, max, options: '-c timezone=UTC' })
    // A server that is restarted on purpose breaks idle connections; the next query tells what is still wrong.
    made.on('error', (error) => console.error(`system: an idle connection broke: ${error.message}`))
    return made
  }
  const control = pool(databases.control, 4)
  const monolith = pool(databases.side('shop').app, 12)
  const services = new Map<string, pg.Pool>()
  const of = (name: string): Pick<System, 'context' | 'database' | 'sides'> => {
    const { database } = rowOfContext(name)
    const service = services.get(database) ?? pool(databases.side(database).app, 12)
    services.set(database, service)
    return { context: name, database, sides: { monolith, service } }
  }
  const system: System = {
    ...of(context),
    stack,
    control,
    seenAs: (name) => ({ ...system, ...of(name) }),
    superuser(database) {
      const url = new URL(databases.superuser)
      url.pathname = `/${database}`
      return url.href
    },
    places: placesOf(stack),
    async kill(which) {
      const child = stack.process(which)
      child.signal('SIGKILL')
      await child.ended
    },
    startMover(which, more = {}) {
      const whole = { LOG_LEVEL: 'info', ...moverEnv(facts), ...COMPILED, ...more }
      return startNode(which, join(ROOT, 'migrations/src/cli.ts'), ['run'], whole, join(stack.logs, `${which}.log`))
    },
    async stop() {
      await Promise.allSettled([control, monolith, ...services.values()].map((each) => each.end()))
      await stack.stop()
    },
  }
  return system
}

function rowOfContext(context: string) {
  const row = SERVICES.find((each) => each.context === context)
  if (!row) throw new Error(`no service takes ${context}`)
  return row
}

/** The processes of Banyan and of the shop that take part in a move, by name. */
export function pidsOf({ stack, context }: Pick<System, 'stack' | 'context'>): Record<string, number> {
  const names = ['mover', 'proxy', 'monolith', rowOfContext(context).name]
  return Object.fromEntries(names.map((name) => [name, stack.process(name).pid]))
}
