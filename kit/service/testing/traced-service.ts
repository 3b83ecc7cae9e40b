/** A process with the whole chassis: `POST /do` tells an event and asks the other process, if it has one; that one answers the event. */
import { Router } from 'express'
import pg from 'pg'
import { eventTopology } from '../../broker/index.ts'
import { consume } from '../../inbox/index.ts'
import { append } from '../../outbox/index.ts'
import { inTransaction } from '../../testing/in-transaction.ts'
import { type Context, readConfig, type ServiceParts, serviceConfig, startService } from '../index.ts'

type Settings = { name: string; env: Record<string, string>; otherUrl?: string; queue?: string }
type Pool = pg.Pool & { destroy(): Promise<void> }

const { name, env, otherUrl, queue }: Settings = JSON.parse(process.argv[2] ?? '{}')

const event = (type: string) => ({ context: name, stream: 'thing-1', type, version: 1, payload: {} })

function contexts({ db, broker, logger, callerOf }: ServiceParts<unknown, Pool>): Context[] {
  const other = otherUrl ? callerOf('other', otherUrl) : undefined
  const routes = Router()
  routes.post('/do', async (_req, res) => {
    await inTransaction(db, (sql) => append(sql, event('Happened')))
    const answer = await other?.call({ method: 'GET', path: '/asked/7' })
    res.json({ answer: answer?.status ?? null })
  })
  routes.get('/asked/:id', (_req, res) => {
    logger.info('was asked')
    res.json({})
  })
  if (!queue || !broker) return [{ routes }]
  const happened = async (_event: unknown, tools: { append(next: ReturnType<typeof event>): Promise<string> }) => {
    logger.info('has heard')
    await tools.append(event('Followed'))
  }
  const followed = async () => logger.info('has heard the echo')
  // Who asks hears the echo, and who is asked makes it: both would follow what happened, each in a way of its own.
  const handlers: Record<string, typeof happened> = other ? { Followed: followed } : { Happened: happened }
  return [
    {
      routes,
      hears: eventTopology(queue, Object.keys(handlers)),
      start: () => consume({ broker, queue, transaction: (work) => inTransaction(db, work), handlers, logger }),
    },
  ]
}

await startService({
  name,
  side: 'service',
  sources: import.meta.dirname,
  config: readConfig(serviceConfig, env),
  connect: ({ connection }): Pool => {
    const pool = new pg.Pool(connection)
    return Object.assign(pool, { destroy: () => pool.end() })
  },
  contexts,
  ownProcess: true,
})
