import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { newKey, publicKey, serviceToken } from '../support/keys.ts'
import { createMigratedDatabase } from '../support/migrated-database.ts'

const ROOT = join(import.meta.dirname, '../..')

export type ShopProcess = {
  baseUrl: string
  databaseUrl: string
  admin: { email: string; password: string }
  serviceToken: string
  /** What the process has logged so far. */
  logs(): string
  /** Stops the process in order. @returns its exit code */
  close(): Promise<number | null>
}

/**
 * Starts the monolith as a process of its own, on a new database and a free port.
 * @param env further variables, such as where the payment provider is
 */
export async function startShopProcess(env: Record<string, string> = {}): Promise<ShopProcess> {
  const database = await createMigratedDatabase('shop')
  const [users, caller] = [newKey('contract-users'), newKey('inventory-service')]
  const admin = { email: 'admin@contract.test', password: 'contract administrator' }
  const child = spawn(process.execPath, [join(ROOT, 'monolith/src/main.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? '',
      PORT: '0',
      BANYAN_LIFELINE: 'stdin',
      DATABASE_URL: database.url,
      JWT_KEYS: JSON.stringify({ keys: [users] }),
      INTERNAL_JWKS: JSON.stringify({ keys: [publicKey(caller)] }),
      ARGON2_MEMORY_KIB: '8',
      ARGON2_PASSES: '1',
      ADMIN_EMAIL: admin.email,
      ADMIN_PASSWORD: admin.password,
      ...env,
    },
  })
  let logged = ''
  child.stdout?.on('data', (part: Buffer) => {
    logged += part
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  return {
    baseUrl: await listening(child),
    databaseUrl: database.url,
    admin,
    serviceToken: serviceToken(caller, 'monolith'),
    logs: () => logged,
    async close() {
      child.kill('SIGTERM')
      const code = await ended
      await database.drop()
      return code
    },
  }
}

/** The process logs where it listens; its other lines are read too, so that it never waits for a full pipe. */
function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text = (text + part).slice(-20_000)
      const found = /"url":"([^"]+)","msg":"listening"/.exec(text)
      if (found?.[1]) resolve(found[1])
    })
    child.once('exit', (code) => reject(new Error(`the monolith ended with ${code} before it listened:\n${text}`)))
  })
}
