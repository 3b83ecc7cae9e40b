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
    graceMs: config.SHUTDOWN_GRACE_MS,
    lifeline: config.BANYAN_LIFELINE,
    close: [() => proxy.close(), () => ops.close(), () => telemetry.close()],
  })
  // A server with an upgrade listener would otherwise take every `Upgrade` for a WebSocket.
  Object.assign(served.server, { shouldUpgradeCallback: isWebSocket })
  served.server.on('upgrade', proxy.upgrade)
  return served
}
