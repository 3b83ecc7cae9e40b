import { createLogger, currentContext, startTelemetry, type Telemetry } from '@banyan/kit/service'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type OtlpReceiver, startOtlpReceiver } from '../../../tests/support/otlp-receiver.ts'
import type { Intent, Stored, Verb } from '../control/stored.ts'
import { createMoveTrace, type MoveTrace } from './move-trace.ts'
import type { Action } from './next-action.ts'

let collector: OtlpReceiver
let telemetry: Telemetry
let trace: MoveTrace

beforeEach(async () => {
  collector = await startOtlpReceiver()
  telemetry = await startTelemetry({
    name: 'mover',
    settings: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
    logger: createLogger({ name: 'test', level: 'silent' }),
  })
  trace = createMoveTrace('goods')
})
afterEach(() => collector.close())

const nothing = async () => undefined
const done: Action = { do: 'settle', as: 'done', because: 'done' }
const doing = (verb: Verb | null, id = 1n) => ({
  intent: verb && ({ id, verb } as Intent),
  stored: { direction: verb === 'switch' ? 'to-service' : null } as Stored,
})

/** Ends everything, and waits until it has been exported. */
async function exported() {
  trace.close()
  await telemetry.close()
  const nameOf = (spanId: string) => collector.spans.find((span) => span.spanId === spanId)?.name ?? ''
  return collector.spans.map((span) => ({ ...span, under: nameOf(span.parentSpanId) }))
}

test('what is asked for is a span, and each step one below it, however many rounds it takes', async () => {
  const sight = doing('backfill')
  await trace.step(sight, { do: 'accept' }, nothing)
  await trace.step(sight, { do: 'begin-copy' }, nothing)
  for (let chunk = 0; chunk < 3; chunk += 1) await trace.step(sight, { do: 'copy' }, nothing)
  await trace.step(sight, { do: 'end-copy' }, nothing)
  await trace.step(sight, done, nothing)
  const spans = await exported()
  expect(spans.map(({ name, under, failed }) => [name, under, failed])).toEqual([
    ['begin-copy', 'backfill', false],
    ['copy', 'backfill', false],
    ['end-copy', 'backfill', false],
    ['backfill', '', false],
  ])
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1)
  for (const { attributes } of spans) expect(attributes).toEqual({ 'banyan.context': 'goods' })
})

test('each intent is a trace of its own, and so is a step that nobody asked for', async () => {
  await trace.step(doing('prepare'), { do: 'prepare' }, nothing)
  await trace.step(doing('prepare'), done, nothing)
  await trace.step(doing('verify', 2n), { do: 'verify' }, nothing)
  await trace.step(doing(null), { do: 'relink' }, nothing)
  await trace.step(doing(null), { do: 'rest' }, nothing)
  const spans = await exported()
  expect(spans.map(({ name, under }) => [name, under])).toEqual([
    ['prepare', 'prepare'],
    ['prepare', ''],
    ['verify', 'verify'],
    ['verify', ''],
    ['relink', ''],
  ])
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(3)
})

test('a switch says which way it goes, and what it waits for', async () => {
  await trace.step(doing('switch'), { do: 'wait', for: 'a lag of 9 s' }, nothing)
  await trace.step(doing('switch'), { do: 'fence' }, nothing)
  const [wait, fence] = await exported()
  expect(wait?.attributes).toMatchObject({ 'banyan.waits_for': 'a lag of 9 s' })
  expect(fence?.attributes).toEqual({ 'banyan.context': 'goods', 'banyan.direction': 'to-service' })
})

test('a step that fails and an intent that is refused are marked, and the error goes on', async () => {
  const refused: Action = { do: 'settle', as: 'refused', because: 'not prepared' }
  const sight = doing('verify')
  const failing = trace.step(sight, { do: 'verify' }, () => Promise.reject(new TypeError('no such table')))
  await expect(failing).rejects.toThrow('no such table')
  await trace.step(sight, { do: 'verify' }, nothing)
  await trace.step(sight, refused, nothing)
  const spans = await exported()
  expect(spans.map(({ name, under, failed }) => [name, under, failed])).toEqual([
    ['verify', 'verify', true],
    ['verify', 'verify', false],
    ['verify', '', true],
  ])
  expect(spans.map(({ attributes }) => attributes['error.type'])).toEqual(['TypeError', undefined, 'refused'])
})

test('what is logged and called within a step belongs to it; without a collector there is nothing to belong to', async () => {
  let seen: string | undefined
  const look = async () => {
    seen = currentContext()?.traceparent
  }
  await trace.step(doing('prepare'), { do: 'prepare' }, look)
  const [{ traceId, spanId } = { traceId: '', spanId: '' }] = await exported()
  expect(seen).toBe(`00-${traceId}-${spanId}-01`)
  await createMoveTrace('goods').step(doing('prepare'), { do: 'prepare' }, look)
  expect(seen).toBeUndefined()
})
