import type { Flags } from '@banyan/kit/flags'
import { createFlagAdmin, type FlagAdmin } from '@banyan/kit/flags/admin'
import type { Logger } from '@banyan/kit/service'
import { ConfigError, processConfig, readConfig } from '@banyan/kit/service/config'
import { MistakesError } from '@banyan/kit/yaml'
import pg from 'pg'
import { z } from 'zod'
import { Refused } from './commands/refused.ts'
import { openDb } from './data/open-db.ts'
import type { Sides } from './plan/finding.ts'
import type { Plan } from './plan/plan.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export const setupConfig = processConfig.omit({ HOST: true, PORT: true }).extend({
  /** Asked for at its first use: a plan can be looked at without it. */
  CONTROL_DATABASE_URL: z.string().startsWith('postgres', 'must be a postgres:// URL').optional(),
  AMQP_URL: z.string().startsWith('amqp', 'must be an amqp:// URL').optional(),
  /** A folder of plans, or single files with commas between: of a folder that has more than is on the move yet. */
  BANYAN_PLANS: z.string().default('migrations/shop/plans'),
  UNLEASH_URL: z.url().optional(),
  UNLEASH_TOKEN: z.string().optional(),
  UNLEASH_ADMIN_TOKEN: z.string().optional(),
  UNLEASH_ENVIRONMENT: z.string().default('development'),
  /** Operators' listeners of the proxies, with commas between; each address that a name stands for is one. */
  OPS_URL: z
    .string()
    .transform((text) => text.split(',').map((one) => one.trim()))
    .pipe(z.array(z.url({ protocol: /^http$/ })))
    .optional(),
  OPS_TOKEN: z.string().optional(),
  // Over either the copy stands aside: milliseconds that changes come late, sessions at work on the source's server.
  COPY_MAX_LAG_MS: z.coerce.number().int().min(100).default(5_000),
  COPY_MAX_LOAD: z.coerce.number().int().min(0).default(25),
  SWITCH_BUDGET_MS: z.coerce.number().int().min(100).max(60_000).default(5_000),
})
export type Config = Readonly<z.infer<typeof setupConfig>>

/**
 * What commands work with, opened at first use and closed together.
 * @throws ConfigError that names every variable that is missing or wrong
 */
export function openSetup(env: Environment) {
  const config: Config = readConfig(setupConfig, env)
  const closers: (() => Promise<unknown>)[] = []
  const pools = new Map<string, pg.Pool>()
  let control: pg.Pool | undefined
  const controlUrl = (): string => {
    if (config.CONTROL_DATABASE_URL) return config.CONTROL_DATABASE_URL
    throw new ConfigError([
      'CONTROL_DATABASE_URL is missing: the control database; while `npm start` runs, `npm run -s banyan` knows it',
    ])
  }
  const databaseUrl = (database: string): string => {
    const variable = variableOf(database)
    const url = env[variable]
    if (!url) throw new ConfigError([`${variable} is missing: the plan names the database "${database}"`])
    return url
  }
  const database = (name: string): pg.Pool => {
    const pool = pools.get(name) ?? openDb(databaseUrl(name), { name: 'banyan', max: 3 })
    if (!pools.has(name)) closers.push(() => pool.end())
    pools.set(name, pool)
    return pool
  }
  // Many commands read no plan: they do without loading YAML.
  const plans = async () => {
    const { readPlans } = await import('./plan/read.ts')
    return readPlans(config.BANYAN_PLANS).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
      throw new Refused(`BANYAN_PLANS to name a folder of plans, or plan files; there is no ${error.path}`)
    })
  }
  return {
    config,
    controlUrl,
    databaseUrl,
    control(): pg.Pool {
      if (control) return control
      const pool = new pg.Pool({ connectionString: controlUrl(), max: 4, application_name: 'banyan' })
      // A broken idle connection is replaced at the next use, which reports what is still wrong.
      pool.on('error', () => undefined)
      closers.push(() => pool.end())
      control = pool
      return pool
    },
    plans,
    async plan(context: string): Promise<Plan> {
      const known = await plans()
      const plan = known.get(context)
      if (plan) return plan
      throw new Refused(
        `no plan describes "${context}"; ${config.BANYAN_PLANS} has: ${[...known.keys()].join(', ') || 'none'}`,
      )
    },
    refuseNowhere: (plans: Iterable<Plan>) => refuseNowhere(plans, env),
    /** @throws MistakesError for databases of the plan that have no address, with its lines */
    sides(plan: Plan): Sides {
      refuseNowhere([plan], env)
      return { monolith: database(plan.databases.monolith), service: database(plan.databases.service) }
    },
    flagAdmin(): FlagAdmin | null {
      const { UNLEASH_URL: url, UNLEASH_ADMIN_TOKEN: adminToken, UNLEASH_ENVIRONMENT: environment } = config
      return url && adminToken ? createFlagAdmin({ url, adminToken, environment }) : null
    },
    async watchedFlags(logger: Logger): Promise<Flags | null> {
      const { UNLEASH_URL: url, UNLEASH_TOKEN: token, UNLEASH_ENVIRONMENT: environment } = config
      if (!url || !token) return null
      // The mover's alone: every other command does without loading Unleash's client.
      const { createFlags } = await import('@banyan/kit/flags')
      return createFlags({ url, token, environment, appName: 'banyan-mover', logger })
    },
    amqpUrl(): string {
      if (!config.AMQP_URL) throw new ConfigError(['AMQP_URL is missing: changes travel over RabbitMQ'])
      return config.AMQP_URL
    },
    onClose: (close: () => Promise<unknown>) => void closers.push(close),
    async close(): Promise<void> {
      for (const close of closers.splice(0).reverse()) await close()
    },
  }
}

export type Setup = ReturnType<typeof openSetup>

const variableOf = (database: string) => `DATABASE_URL_${database.toUpperCase()}`

/** @throws MistakesError for every database of the plans without an address: either may be wrong, the plan or the environment */
function refuseNowhere(plans: Iterable<Plan>, env: Environment): void {
  const mistakes = [...plans].flatMap((plan) =>
    (['monolith', 'service'] as const)
      .filter((side) => !env[variableOf(plan.databases[side])])
      .map((side) => ({
        file: plan.file,
        line: plan.lineOf('databases', side),
        message: `the ${side}'s database "${plan.databases[side]}" has no address: ${variableOf(plan.databases[side])} is not set`,
        remedy: "set it to the database's URL as the mover's role, or mend the name in the plan",
      })),
  )
  if (mistakes.length > 0) throw new MistakesError(mistakes)
}
