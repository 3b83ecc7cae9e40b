#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { armFailPoints, createLogger, readConfig } from '@banyan/kit/service'
import { createProxy } from './app.ts'
import { proxyConfig } from './config.ts'
import { listen } from './listen.ts'
import { parseRoutes } from './routes/parse.ts'

try {
  const config = readConfig(proxyConfig, process.env)
  const logger = createLogger({ name: 'strangler-proxy', level: config.LOG_LEVEL })
  armFailPoints(config.FAIL_POINTS)
  const table = parseRoutes(readFileSync(config.ROUTES, 'utf8'), config.ROUTES)
  const proxy = createProxy(config, table, logger)
  await proxy.ready
  await listen(proxy, config, logger)
} catch (error) {
  console.error(`strangler-proxy: ${(error as Error).message}`)
  process.exit(1)
}
