import pg from 'pg'
import { connectBroker } from '../../broker/index.ts'
import { childOptions } from '../../outbox/testing/child.ts'
import { armFailPoints } from '../../service/fail-points.ts'
import { fromPg } from '../../sql.ts'
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
  async transaction(work) {
    const client = await pool.connect()
    try {
      await client.query('begin')
      const result = await work(fromPg(client))
      await client.query('commit')
      return result
    } catch (error) {
      await client.query('rollback')
      throw error
    } finally {
      client.release()
    }
  },
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
