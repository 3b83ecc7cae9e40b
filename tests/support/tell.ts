/** Tells a broker of events as the outbox's relay does, by a client that shares nothing with it. */
import { randomUUID } from 'node:crypto'
import { connect } from 'amqplib'

export type Told = { id?: string; type: string; context: string; stream: string; payload: object }

export type Teller = {
  /** Resolves once the broker has the event in at least one queue. @returns its id */
  tell(event: Told): Promise<string>
  close(): Promise<void>
}

const EXCHANGE = 'banyan.events'

/** @param url the AMQP URL of the virtual host */
export async function createTeller(url: string): Promise<Teller> {
  const connection = await connect(url)
  const channel = await connection.createConfirmChannel()
  const returned = new Set<string>()
  channel.on('return', ({ properties }) => returned.add(properties.messageId))
  let sequence = 0

  async function publish({ id = randomUUID(), type, context, stream, payload }: Told): Promise<string | undefined> {
    const headers = {
      'ce-specversion': '1.0',
      'ce-id': id,
      'ce-source': `/${context}`,
      'ce-type': type,
      'ce-subject': stream,
      'ce-time': new Date().toISOString(),
      'ce-datacontenttype': 'application/json',
      'ce-dataversion': '1',
      'ce-sequence': `1.${++sequence}`,
    }
    const body = Buffer.from(JSON.stringify(payload))
    const how = { messageId: id, type, contentType: 'application/json', persistent: true, mandatory: true, headers }
    channel.publish(EXCHANGE, type, body, how)
    // A message that no queue wants comes back before its confirm.
    await channel.waitForConfirms()
    return returned.delete(id) ? undefined : id
  }

  return {
    async tell(event) {
      const id = event.id ?? randomUUID()
      // Whoever is to hear of it may still be making its queue.
      for (const end = Date.now() + 10_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 50)))
        if (await publish({ ...event, id })) return id
      throw new Error(`no queue takes ${event.type}`)
    },
    close: () => connection.close(),
  }
}
