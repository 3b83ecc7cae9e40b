import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { Connection, type Publisher } from 'rabbitmq-client'

/** The method of a step that is no request: the side is told of an event. */
export const TELL = 'TELL'

export type Teller = {
  /**
   * Publishes an event, and resolves when the context's inbox has handled it: then its rows are there.
   * @param path `/<context>/<Type>/<stream>` of the event
   * @param payload JSON
   */
  tell(path: string, payload: string): Promise<void>
  close(): Promise<void>
}

const HANDLED_WITHIN_MS = 20_000
/** Whoever is to hear of it may still be making its queue; told twice, it is handled once. */
const AGAIN_MS = 1_000

/**
 * @param options.queue under which the context's inbox notes what it has handled
 * @param options.now the clock of the side
 */
export function createTeller(options: {
  amqp: string
  database: string
  exchange: string
  queue: string
  now: () => Date
}): Teller {
  const { amqp, database, exchange, queue, now } = options
  let opened: { connection: Connection; publisher: Publisher; pool: pg.Pool } | undefined
  const open = () => {
    const connection = new Connection({ url: amqp, connectionName: 'banyan parity teller', acquireTimeout: 10_000 })
    // A broken connection is made again; what it lost is told again.
    connection.on('error', () => undefined)
    const publisher = connection.createPublisher({ confirm: true, maxAttempts: 2 })
    const pool = new pg.Pool({ connectionString: database, max: 1, application_name: 'banyan parity' })
    pool.on('error', () => undefined)
    return { connection, publisher, pool }
  }
  let told = 0

  return {
    async tell(path, payload) {
      opened ??= open()
      const { publisher, pool } = opened
      const [source = '', type = '', subject = ''] = path.split('/').slice(1).map(decodeURIComponent)
      const id = randomUUID()
      const headers = {
        'ce-specversion': '1.0',
        'ce-id': id,
        'ce-source': `/${source}`,
        'ce-type': type,
        'ce-subject': subject,
        'ce-time': now().toISOString(),
        'ce-datacontenttype': 'application/json',
        'ce-dataversion': '1',
        'ce-sequence': `1.${++told}`,
      }
      const envelope = { exchange, routingKey: type, messageId: id, contentType: 'application/json', headers }
      const handled = async () =>
        (await pool.query('select from banyan.inbox where consumer = $1 and event_id = $2', [queue, id])).rowCount === 1
      for (let waited = 0; waited < HANDLED_WITHIN_MS; waited += AGAIN_MS) {
        await publisher.send({ ...envelope, contentEncoding: 'utf-8', durable: true }, Buffer.from(payload))
        for (const end = performance.now() + AGAIN_MS; performance.now() < end; await sleep(20))
          if (await handled()) return
      }
      throw new Error(`${type} was told, and ${queue} has not handled it within ${HANDLED_WITHIN_MS / 1000} s`)
    },
    async close() {
      await opened?.publisher.close()
      await opened?.connection.close()
      await opened?.pool.end()
    },
  }
}
