import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll } from 'vitest'
import { contractSuite } from '../../../tests/contracts/suite.ts'
import { createTestVhost } from '../../../tests/support/infra.ts'
import { startTestOrders, type TestOrders } from './testing/orders.ts'

const tokens = { adminToken: '', customerToken: '' }
let orders: TestOrders
let front: Server
let vhost: Awaited<ReturnType<typeof createTestVhost>>

beforeAll(async () => {
  vhost = await createTestVhost()
  orders = await startTestOrders({ shopEnv: { AMQP_URL: vhost.url, SHIPPING_DELAY_MS: '0' } })
  tokens.adminToken = await orders.shop.adminToken()
  tokens.customerToken = (await orders.shop.customer()).token
  // As the proxy splits them: carts and orders are the service's, and all that follows from an order is the shop's.
  front = createServer((req, res) => {
    const own = /^\/api\/(cart|orders)(?!.*\/shipment)/.test(req.url!)
    const to = new URL(req.url!, own ? orders.service.url : orders.shop.url)
    const onward = request(to, { method: req.method, headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(res)
    })
    onward.on('error', () => res.destroy())
    req.pipe(onward)
  })
  await new Promise<void>((done) => front.listen(0, '127.0.0.1', done))
})
afterAll(async () => {
  front?.close()
  await orders?.close()
  await vhost?.drop()
})

// The very tests that the monolith passes: a client cannot tell who answers.
contractSuite(['common', 'orders'], () => ({
  baseUrl: `http://127.0.0.1:${(front.address() as AddressInfo).port}`,
  ...tokens,
}))
