import type { ServerOptions } from 'node:http'
import { type Logger, type Served, serve, startTelemetry } from '@banyan/kit/service'
import type { StranglerProxy } from './app.ts'
import type { ProxyConfig } from './config.ts'
import { isWebSocket } from './upgrade.ts'

/** Opens both listeners. The operators' one closes last, so that metrics and health show the stopping too. */
export async function listen(proxy: StranglerProxy, config: ProxyConfig, logger: Logger): Promise<Served> {
  const telemetry = await startTelemetry({ name: 'strangler-proxy', build: config.BUILD, settings: config, logger })
  const ops = await serve({
    app: proxy.ops,
    host: config.OPS_HOST,
    port: config.OPS_PORT,
    logger,
    graceMs: 1_000,
    ownProcess: false,
  })
  const served = await serve({
    app: proxy.handler,
    host: config.HOST,
    port: config.PORT,
    health: proxy.health,
    logger,
    unreadyMs: config.SHUTDOWN_UNREADY_MS,
    graceMs: config.SHUTDOWN_GRACE_MS,
    http: limitsOf(config),
    lifeline: config.BANYAN_LIFELINE,
    close: [() => proxy.close(), () => ops.close(), () => telemetry.close()],
  })
  // A server with an upgrade listener would otherwise take every `Upgrade` for a WebSocket.
  Object.assign(served.server, { shouldUpgradeCallback: isWebSocket })
  served.server.on('upgrade', proxy.upgrade)
  return served
}

/** How long and how large a request may be in arriving: whoever sends a byte a minute keeps no connection. */
export function limitsOf(
  config: Pick<ProxyConfig, 'HEADERS_TIMEOUT_MS' | 'REQUEST_TIMEOUT_MS' | 'MAX_HEADER_BYTES'>,
): ServerOptions {
  return {
    headersTimeout: config.HEADERS_TIMEOUT_MS,
    requestTimeout: Math.max(config.REQUEST_TIMEOUT_MS, config.HEADERS_TIMEOUT_MS),
    // Node looks whether a time is over every 30 s unless told.
    connectionsCheckingInterval: Math.min(config.HEADERS_TIMEOUT_MS / 2, 1_000),
    maxHeaderSize: config.MAX_HEADER_BYTES,
  }
}
