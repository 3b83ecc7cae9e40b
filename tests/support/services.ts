/**
 * The servers that tests use: those of the environment if all are named, else embedded ones, or containers with
 * `TEST_INFRA=containers`.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const NAMES = [
  'TEST_POSTGRES_URL',
  'TEST_AMQP_URL',
  'TEST_RABBITMQ_API',
  'TEST_UNLEASH_URL',
  'TEST_UNLEASH_CLIENT_TOKEN',
  'TEST_UNLEASH_ADMIN_TOKEN',
]
const areNamed = NAMES.every((name) => process.env[name])
/** What is started takes servers of these addresses instead of its own (compose/embedded/servers.ts). */
const areShared = ['DATABASE_URL', 'AMQP_URL', 'UNLEASH_URL'].some((name) => process.env[name])

/** How many sets of servers there can be, each for one worker: an environment names one. */
export const SETS = areNamed || areShared ? 1 : 3

/** One PostgreSQL, one RabbitMQ and one Unleash, as the variables of the environment that name them. */
export type Services = Record<string, string>

/**
 * @param worker from 1 on, as Vitest numbers them; one that follows another takes over its number
 * @returns the set that only this worker uses
 */
export function servicesOf(worker: number, sets: readonly Services[]): Services {
  const mine = sets[worker - 1]
  if (!mine) throw new Error(`worker ${worker} has no servers to itself: ${sets.length} sets of them were started`)
  return mine
}

/** Each prints a line of JSON for every set of servers, and ends them when its stdin closes. */
const STARTERS: Record<string, string> = {
  embedded: '../../compose/embedded/infra.ts',
  containers: './container-services.ts',
}

/**
 * Starts servers.
 * @param count how many sets of them
 * @param kind `embedded` or `containers`; what a project does not say, the environment says
 * @returns the sets, and the function that ends them; nothing where the environment names the servers
 * @throws for a kind that there is not
 */
export async function startServices(
  count: number,
  kind = process.env.TEST_INFRA ?? 'embedded',
): Promise<{ sets: Services[]; stop(): Promise<void> } | undefined> {
  if (areNamed) return undefined
  const starter = STARTERS[kind]
  if (!starter) throw new Error(`TEST_INFRA=${kind}: there are ${Object.keys(STARTERS).join(', ')}`)
  const infra = fileURLToPath(new URL(starter, import.meta.url))
  const args = [infra, '--management', '--sets', String(count)]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const sets: Services[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    // MADE_DATABASES is absent where the databases cannot be copied: then each test migrates its own.
    const named = Object.entries(JSON.parse(line) as Services).map(([name, value]) => [`TEST_${name}`, value])
    if (sets.push(Object.fromEntries(named)) === count) break
  }
  if (sets.length < count) throw new Error('the servers ended before they were up; their reason stands above')
  const stop = async () => {
    child.stdin.end()
    await ended
  }
  return { sets, stop }
}
