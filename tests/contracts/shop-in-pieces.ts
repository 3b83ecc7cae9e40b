/** The contract's tests for a whole stack: what the monolith passes alone, its proxy passes at every stage. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTeller } from '../support/tell.ts'
import type { System } from '../system/support/system.ts'
import { createContractClient } from './client.ts'
import { type EventWatch, watchEvents } from './event-watch.ts'
import { createSampleTeller } from './samples.ts'
import { contractSuite } from './suite.ts'

/** What is public of the contract; the internal routes, which no proxy passes on, are in the services' own tests. */
const PUBLIC = ['common', 'users', 'inventory', 'notifications', 'shipping', 'orders'] as const

/** What each run of the suite makes the shop say, whoever answers. */
const TOLD = [
  ...['OrderCancelled', 'OrderConfirmed', 'OrderPlaced', 'PaymentCaptured', 'PaymentRefunded', 'ProductChanged'],
  ...['ProductDeleted', 'ShipmentDispatched', 'StockReleased', 'StockReserved', 'UserRegistered'],
]

/**
 * Registers the public part of the contract, and of the events that are told meanwhile.
 * @param system a stack that runs once the caller's own `beforeAll` has
 * @param door which of its addresses is asked
 */
export function contractOfStack(system: () => System, door: 'SHOP_URL' | 'MONOLITH_URL' = 'SHOP_URL'): void {
  let watch: EventWatch
  let teller: Awaited<ReturnType<typeof createSampleTeller>>
  let adminToken = ''
  const baseUrl = () => system().stack.env[door] ?? ''
  beforeAll(async () => {
    const { brokerUrl, facts } = system().stack
    watch = await watchEvents(brokerUrl)
    teller = await createSampleTeller(brokerUrl)
    const client = createContractClient(baseUrl())
    adminToken = (await client.call('signIn', { body: facts.admin })).body.accessToken
  })
  afterAll(async () => {
    await Promise.all([watch?.close(), teller?.close()])
  })

  contractSuite(PUBLIC, () => ({ baseUrl: baseUrl(), adminToken, tell: teller.tell }))

  it('has told of it all in events that keep their schemas', async () => {
    await expect.poll(() => watch.types(), { timeout: 20_000 }).toEqual(TOLD)
    expect(watch.faults()).toEqual([])
  })
}

/** Registers what shows that the above would notice: an event and an answer of the stack, each with a field too few. */
export function brokenContractOfStack(system: () => System): void {
  it('notices an event that breaks its schema', async () => {
    const { brokerUrl } = system().stack
    const watch = await watchEvents(brokerUrl)
    const teller = await createTeller(brokerUrl)
    try {
      await teller.tell({ type: 'StockReserved', context: 'inventory', stream: 'order-1', payload: { orderId: 1 } })
      await expect
        .poll(() => watch.faults(), { timeout: 10_000 })
        .toContainEqual(expect.stringMatching(/StockReserved.*required/))
    } finally {
      await Promise.all([watch.close(), teller.close()])
    }
  })

  it('notices an answer that breaks its schema', async () => {
    const shop = system().stack.env.SHOP_URL ?? ''
    const lossy = createServer(async (req, res) => {
      const answer = await fetch(new URL(req.url ?? '/', shop))
      const { total: _, ...rest } = (await answer.json()) as { total: number }
      res.writeHead(answer.status, headersOf(answer)).end(JSON.stringify(rest))
    })
    await new Promise<void>((resolve) => lossy.listen(0, '127.0.0.1', resolve))
    const broken = createContractClient(`http://127.0.0.1:${(lossy.address() as AddressInfo).port}`)
    try {
      await createContractClient(shop).call('listCategories')
      await expect(broken.call('listCategories')).rejects.toThrow("required property 'total'")
    } finally {
      lossy.closeAllConnections()
      lossy.close()
    }
  })
}

const headersOf = ({ headers }: Response) =>
  Object.fromEntries([...headers].filter(([name]) => !/^(content-(length|encoding)|transfer-encoding)$/.test(name)))
