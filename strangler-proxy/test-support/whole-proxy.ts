import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createLogger } from '@banyan/kit/service'
import { createProxy } from '../src/app.ts'
import type { ProxyConfig } from '../src/config.ts'
import { parseRoutes } from '../src/routes/parse.ts'

export const OPS_TOKEN = 'a token of the operators'

/** A proxy as it is started, with both of its listeners, on a real control database and a real Unleash. */
export async function startWholeProxy(options: {
  readonly routes: string
  readonly controlUrl: string
  readonly unleash: { readonly url: string; readonly clientToken: string }
  readonly monolith: string
  readonly services: Readonly<Record<string, string>>
  readonly mirrorInto?: string
  /** What differs from the usual. */
  readonly config?: Partial<ProxyConfig>
}): Promise<{ readonly url: string; readonly opsUrl: string; close(): Promise<void> }> {
  const config: ProxyConfig = {
    ...{ HOST: '127.0.0.1', PORT: 0, OPS_HOST: '127.0.0.1', OPS_PORT: 0, LOG_LEVEL: 'silent', FAIL_POINTS: '' },
    ...{ SHUTDOWN_UNREADY_MS: 0, SHUTDOWN_GRACE_MS: 1_000 },
    CONTROL_DATABASE_URL: options.controlUrl,
    UNLEASH_URL: options.unleash.url,
    UNLEASH_TOKEN: options.unleash.clientToken,
    UNLEASH_ENVIRONMENT: 'development',
    ROUTES: 'routes.yaml',
    MONOLITH_URL: [options.monolith],
    SERVICE_URLS: { ...options.services },
    ...{ COOKIE_KEY: 'a cookie key for tests', COOKIE_SECURE: false, OVERRIDE_KEY: 'an override key for tests' },
    OPS_TOKEN,
    CONSOLE_OPERATORS: [],
    CONSOLE_SESSION_MINUTES: 1,
    RECORD_CLAIMS: ['role'],
    ...(options.mirrorInto === undefined ? {} : { MIRROR_FOLDER: options.mirrorInto }),
    MIRROR_MAX_LAG_MS: 5_000,
    TRUSTED_HOPS: 0,
    OPS_TRUSTED_HOPS: 0,
    HEADERS_TIMEOUT_MS: 10_000,
    REQUEST_TIMEOUT_MS: 300_000,
    MAX_HEADER_BYTES: 16_384,
    ...options.config,
  }
  const logger = createLogger({ name: 'proxy under test', level: 'silent' })
  const proxy = createProxy(config, parseRoutes(options.routes, 'routes.yaml'), logger)
  await proxy.ready
  const servers = [await listening(proxy.handler), await listening(proxy.ops)]
  const [url, opsUrl] = servers.map((one) => `http://127.0.0.1:${(one.address() as AddressInfo).port}`)
  return {
    url: url!,
    opsUrl: opsUrl!,
    async close() {
      for (const server of servers) server.closeAllConnections()
      await proxy.close()
      for (const server of servers) server.close()
    },
  }
}

async function listening(handler: Parameters<typeof createServer>[1]): Promise<Server> {
  const server = createServer(handler!)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}
