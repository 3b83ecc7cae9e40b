import { expect, test } from 'vitest'
import { createTestVhost } from '../../tests/support/infra.ts'
import { stallable } from '../ownership/testing/stallable.ts'
import { createLogger } from '../service/index.ts'
import { connectBroker } from './index.ts'

test('closing does not wait for a broker that has gone silent', async () => {
  const vhost = await createTestVhost()
  const cable = await stallable(vhost.url)
  const logger = createLogger({ name: 'test', level: 'silent' })
  const broker = connectBroker({ url: cable.url, name: 'test', logger })
  try {
    await expect.poll(() => broker.ready(), { timeout: 10_000 }).toBe(true)
    cable.stall()
    await broker.close()
  } finally {
    await cable.close()
    await vhost.drop()
  }
}, 20_000)
