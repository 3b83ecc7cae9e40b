/** A proxy that can record, in front of the monolith, each a process of its own. */
import { execFile, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startShopProcess } from '../contracts/shop-process.ts'
import { createTestDatabase, testUnleash } from '../support/infra.ts'

const ROOT = join(import.meta.dirname, '../..')
const OPS_TOKEN = 'the token of the operators'

export type RecordedShop = {
  url: string
  admin: { email: string; password: string }
  /** Records every session until it is told to stop. */
  start(): Promise<void>
  /** @returns where the recording is, when it holds so many requests */
  stop(requests: number): Promise<string>
  /** What both processes have logged. */
  logs(): string
  close(): Promise<void>
}

/** @param folder where recordings go */
export async function startRecordedShop(folder: string): Promise<RecordedShop> {
  const control = await createTestDatabase()
  const monolith = await startShopProcess()
  const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env
  const env = { PATH, NODE_COMPILE_CACHE, CONTROL_DATABASE_URL: control.url }
  await promisify(execFile)(process.execPath, [join(ROOT, 'migrations/src/cli.ts'), 'init'], {
    env: { ...env, BANYAN_PLANS: join(ROOT, 'migrations/shop/plans') },
  })
  const unleash = testUnleash()
  const proxy = spawn(process.execPath, [join(ROOT, 'strangler-proxy/src/main.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      ...{ ...env, PORT: '0', OPS_PORT: '0', BANYAN_LIFELINE: 'stdin', LOG_LEVEL: 'debug', RECORD_FOLDER: folder },
      ...{ UNLEASH_URL: unleash.url, UNLEASH_TOKEN: unleash.clientToken, MONOLITH_URL: monolith.baseUrl },
      ROUTES: join(ROOT, 'strangler-proxy/shop/routes.yaml'),
      ...{ JWT_JWKS_URL: `${monolith.baseUrl}/.well-known/jwks.json`, JWT_ISSUER: 'banyan-shop' },
      ...{ COOKIE_KEY: 'a cookie key for tests', OVERRIDE_KEY: 'an override key for tests', OPS_TOKEN },
    },
  })
  let logged = ''
  const ended = new Promise((resolve) => proxy.once('exit', resolve))
  // The operators' listener opens first.
  const [ops = '', url = ''] = await new Promise<string[]>((resolve, reject) => {
    proxy.stdout.setEncoding('utf8').on('data', (part: string) => {
      logged += part
      const urls = [...logged.matchAll(/"url":"([^"]+)","msg":"listening"/g)].map(([, found]) => found!)
      if (urls.length === 2) resolve(urls)
    })
    proxy.once('exit', (code) => reject(new Error(`the proxy ended with ${code}: ${logged}`)))
  })
  const order = async (method: string, path: string, body?: object) => {
    const headers = { authorization: `Bearer ${OPS_TOKEN}`, 'content-type': 'application/json' }
    const answer = await fetch(ops + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as {
      file: string
      recording: { written: number; dropped: number; ended: string | null }
    }
  }
  return {
    url,
    admin: monolith.admin,
    logs: () => logged + monolith.logs(),
    async start() {
      // What the page tells a reader to send, but of every session.
      const page = readFileSync(join(ROOT, 'docs/parity.md'), 'utf8')
      const told = /POST "\$OPS_URL\/recording".*?'(\{.*?\})'/s.exec(page)?.[1]
      if (!told) throw new Error('docs/parity.md no longer says what to send to /recording')
      await order('POST', '/recording', { ...JSON.parse(told), share: 1 })
    },
    async stop(requests) {
      const until = Date.now() + 10_000
      for (;;) {
        const { recording } = await order('GET', '/routing')
        if (recording.written === requests) break
        if (Date.now() > until) throw new Error(`not ${requests} were written: ${JSON.stringify(recording)}`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      return (await order('DELETE', '/recording')).file
    },
    async close() {
      proxy.kill('SIGTERM')
      await ended
      await monolith.close()
      await control.drop()
    },
  }
}
