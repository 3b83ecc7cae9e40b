import { startTelemetry, type Telemetry } from '@banyan/kit/service'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type OtlpReceiver, startOtlpReceiver } from '../../../tests/support/otlp-receiver.ts'
import { createWorld, type World } from './testing/world.ts'

let collector: OtlpReceiver
let telemetry: Telemetry
let world: World
beforeAll(async () => {
  collector = await startOtlpReceiver()
  world = await createWorld({ rows: 3_000 })
  telemetry = await startTelemetry({
    name: 'mover',
    settings: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: 50 },
    logger: world.settings.logger,
  })
})
afterAll(async () => {
  await world?.drop()
  await telemetry?.close()
  await collector?.close()
})

it('a move is a trace for each command, with the steps of the protocol in their order', async () => {
  const mover = world.start()
  for (const verb of ['prepare', 'backfill', 'verify', 'switch'] as const)
    expect(await world.ask(verb)).toMatchObject({ state: 'done' })
  await mover.stop()
  await telemetry.close()

  const of = (verb: string) => collector.spans.find(({ name, parentSpanId }) => name === verb && parentSpanId === '')!
  const steps = (verb: string) =>
    collector.spans.filter(({ parentSpanId }) => parentSpanId === of(verb).spanId).map(({ name }) => name)
  const deeds = (verb: string) => steps(verb).filter((name) => name !== 'wait')
  expect(deeds('prepare')).toContain('prepare')
  expect(deeds('backfill')).toEqual(['begin-copy', 'copy', 'end-copy'])
  expect(deeds('verify')).toContain('verify')
  expect(deeds('switch')).toEqual(
    expect.arrayContaining(['begin-switch', 'hold-ended', 'fence', 'sequences', 'commit', 'unfence', 'release']),
  )
  const order = deeds('switch')
  expect(order.indexOf('fence')).toBeLessThan(order.indexOf('commit'))
  expect(order.indexOf('commit')).toBeLessThan(order.indexOf('unfence'))
  expect(new Set(['prepare', 'backfill', 'verify', 'switch'].map((verb) => of(verb).traceId)).size).toBe(4)
  expect(collector.spans.filter(({ failed }) => failed)).toEqual([])
})
