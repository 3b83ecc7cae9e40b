import pg from 'pg'
import { connectBroker } from '../../broker/index.ts'
import { childOptions } from '../../outbox/testing/child.ts'
import { armFailPoints } from '../../service/fail-points.ts'
import { inTransaction } from '../../testing/in-transaction.ts'
import { consume } from '../index.ts'

const { databaseUrl, brokerUrl, queue, failPoints } = childOptions<{
  databaseUrl: string
  brokerUrl: string
  queue: string
  failPoints: string
}>()
const quiet = () => undefined
const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet }
armFailPoints(failPoints)
const pool = new pg.Pool({ connectionString: databaseUrl })
consume({
  broker: connectBroker({ url: brokerUrl, name: 'consumer process', logger }),
  queue,
  logger,
  concurrency: 4,
  transaction: (work) => inTransaction(pool, work),
  handlers: {
    async Happened({ id }, { sql }) {
      await sql.raw('insert into effects (event_id) values (?)', [id])
    },
    async Deadly() {
      process.kill(process.pid, 'SIGKILL')
      await new Promise(() => undefined)
    },
  },
})
