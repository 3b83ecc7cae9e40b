// One instance of an upstream in a process of its own, which stops as every process of the kit does. Says its port.
import { createHealth, createLogger, serve } from '@banyan/kit/service'

/** Long enough that something is always under way when it is told to end. */
const WORK_MS = 10

const health = createHealth()
const served = await serve({
  app(req, res) {
    if (req.url === '/health/ready') return void res.writeHead(health.isReady() ? 200 : 503).end()
    req.resume().on('end', () => setTimeout(() => res.end('done'), WORK_MS))
  },
  host: '127.0.0.1',
  port: 0,
  health,
  logger: createLogger({ name: 'instance', level: 'silent' }),
  graceMs: 10_000,
  // So long it answers on although it says that it is about to end: a proxy that asks every 100 ms sees it.
  unreadyMs: 3_000,
  lifeline: 'stdin',
})
console.log(served.port)
