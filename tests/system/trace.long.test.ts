import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { MONOLITH, SERVICES } from '../../compose/provision/services.ts'
import { lineOf, type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.ts'
import { turn } from './support/moves.ts'
import { newBrowser, register, signIn, succeed } from './support/people.ts'
import { type System, startSystem } from './support/system.ts'

const DOOR = 'strangler-proxy'
const SHIPPING = { name: 'Ada', line1: 'Main 1', postalCode: '10115', city: 'Berlin', country: 'DE' }

let collector: OtlpReceiver
let system: System
beforeAll(async () => {
  collector = await startOtlpReceiver()
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '100' }
  const traced = ['proxy', MONOLITH.name, ...SERVICES.map(({ name }) => name)]
  system = await startSystem('trace', Object.fromEntries(traced.map((name) => [name, env])), 'orders')
})
afterAll(async () => {
  await system?.stop()
  await collector?.close()
})

it('an order is one trace from the door to its letter, in the monolith and over all services', async () => {
  const whole = [DOOR, MONOLITH.name]
  const before = await traceOfAnOrder(whole, { letters: MONOLITH.name, shipments: MONOLITH.name })
  expect(servicesIn(before)).toEqual(whole.sort())
  expectWhole(before)

  for (const { context } of SERVICES) await turn(system.seenAs(context))
  const inPieces = [DOOR, ...SERVICES.map(({ name }) => name)]
  const after = await traceOfAnOrder(inPieces, { letters: 'notification-service', shipments: 'shipping-service' })
  expect(servicesIn(after)).toEqual(inPieces.sort())
  expectWhole(after)
})

/**
 * Places an order, and waits for what it causes last: the letter, and the shipment that is prepared.
 * @param processes those that take part
 * @returns its spans, without the deliveries that a process gave back because the context was no longer its own
 */
async function traceOfAnOrder(
  processes: readonly string[],
  by: { letters: string; shipments: string },
): Promise<ReceivedSpan[]> {
  const browser = newBrowser(system.stack.env.SHOP_URL ?? '')
  const { accessToken: token } = await signIn(browser, await register(browser))
  const traceId = randomUUID().replaceAll('-', '')
  await succeed(
    'order',
    browser('POST', '/api/orders', {
      token,
      body: { items: [{ productId: 7, quantity: 1 }], paymentToken: 'tok_visa', shippingAddress: SHIPPING },
      headers: { 'idempotency-key': randomUUID(), traceparent: `00-${traceId}-${'c'.repeat(16)}-01` },
    }),
  )
  const own = () => collector.spans.filter((span) => span.traceId === traceId && !isGivenBack(span))
  const ends = [
    { name: 'send e-mail', service: by.letters },
    { name: 'process OrderConfirmed', service: by.shipments },
    { name: 'POST /api/orders', service: DOOR },
  ]
  const has = ({ name, service }: (typeof ends)[number]) =>
    own().some((span) => span.name === name && span.service === service)
  await collector.until('the order is over', () => ends.every(has), 60_000)
  // Each process exports by itself, in its own time; a parent after its children where they are of two.
  const took = (name: string) => own().some(({ service }) => service === name)
  await collector.until('each process has told of its part', () => processes.every(took), 60_000)
  await collector.until('every span has its parent', () => own().every((span) => hangsAtDoor(span, own())), 60_000)
  return own()
}

const isGivenBack = ({ attributes }: ReceivedSpan) => attributes['error.type'] === 'NotOwner'
const servicesIn = (spans: ReceivedSpan[]) => [...new Set(spans.map(({ service }) => service))].sort()
const hangsAtDoor = (span: ReceivedSpan, spans: ReceivedSpan[]) => {
  const first = lineOf(span, spans).at(-1)!
  return first.service === DOOR && first.parentSpanId === 'c'.repeat(16)
}

function expectWhole(spans: ReceivedSpan[]): void {
  const letter = spans.find(({ name }) => name === 'send e-mail')!
  const way = lineOf(letter, spans).map(({ name }) => name)
  expect(way.slice(0, 3)).toEqual(['send e-mail', 'process OrderPlaced', 'publish OrderPlaced'])
  expect(way.slice(-3)).toEqual([
    'POST /api/orders',
    expect.stringMatching(/^POST (monolith|service)$/),
    'POST /api/orders',
  ])
  // One that was not answered in time is tried again, in a span of its own.
  const steps = spans.filter(({ name }) => name.startsWith('saga.'))
  const done = steps.filter(({ failed }) => !failed).map(({ name }) => name)
  expect(done).not.toEqual([])
  expect(new Set(done)).toEqual(new Set(steps.map(({ name }) => name)))
}
