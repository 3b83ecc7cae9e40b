/** Unleash from npm as a process of its own, on a database of the embedded PostgreSQL. */
import { fileURLToPath } from 'node:url'
import { type Child, startNode } from './child.ts'
import { becomesTrue, GaveUp } from './wait.ts'

export type UnleashAccess = { url: string; clientToken: string; adminToken: string }
export type UnleashLogin = { username: string; password: string }

/**
 * @param options.databaseUrl an existing database; Unleash creates its tables there
 * @returns its process and addresses at once, and when it answers; that fails after 4 min (its first migrations on a
 *   busy machine), with the place of its log
 */
export function startUnleash(options: {
  databaseUrl: string
  port: number
  clientToken: string
  adminToken: string
  login: UnleashLogin
  log: string
}): { child: Child; access: UnleashAccess; up: Promise<void> } {
  const child = startNode(
    'unleash',
    fileURLToPath(new URL('unleash-process.ts', import.meta.url)),
    [],
    {
      DATABASE_URL: options.databaseUrl,
      DATABASE_SSL: 'false',
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: String(options.port),
      UNLEASH_URL: `http://127.0.0.1:${options.port}`,
      INIT_BACKEND_API_TOKENS: options.clientToken,
      INIT_ADMIN_API_TOKENS: options.adminToken,
      UNLEASH_DEFAULT_ADMIN_USERNAME: options.login.username,
      UNLEASH_DEFAULT_ADMIN_PASSWORD: options.login.password,
      CHECK_VERSION: 'false',
      SEND_TELEMETRY: 'false',
      LOG_LEVEL: 'warn',
      NODE_ENV: 'production',
    },
    options.log,
  )
  const url = `http://127.0.0.1:${options.port}`
  const up = becomesTrue(
    `Unleash at ${url} (its log: ${options.log})`,
    async () => {
      if (!child.isRunning()) throw new GaveUp(`Unleash ended while starting; its log: ${options.log}`)
      return (await fetch(`${url}/health`)).ok
    },
    240_000,
  )
  return {
    child,
    up,
    access: { url: `${url}/api`, clientToken: options.clientToken, adminToken: options.adminToken },
  }
}
