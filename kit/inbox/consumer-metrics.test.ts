import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import type { Broker } from '../broker/index.ts'
import { type ConsumerStats, exportConsumers, noteConsumer } from './consumer-metrics.ts'

test('the consumers of a broker are exported as they are when somebody asks, from the first on, and no others', async () => {
  const [ours, theirs] = [{} as Broker, {} as Broker]
  const registry = new Registry()
  exportConsumers(registry, ours)
  const shown = async () => (await registry.metrics()).split('\n').filter((line) => /^inbox_/.test(line))
  expect(await shown()).toEqual([])

  const now: ConsumerStats = { active: true, handled: 0, duplicates: 0, failures: 0, dead: 0 }
  noteConsumer(ours, 'banyan.orders', () => now)
  noteConsumer(ours, 'banyan.users', () => ({ ...now, active: false }))
  noteConsumer(theirs, 'banyan.goods', () => now)
  expect(await shown()).toContain('inbox_dead_letters_total{queue="banyan.orders"} 0')

  Object.assign(now, { handled: 5, failures: 7, dead: 1 })
  expect(await shown()).toEqual([
    'inbox_consumes{queue="banyan.orders"} 1',
    'inbox_consumes{queue="banyan.users"} 0',
    ...[5, 5].map((count, at) => `inbox_handled_total{queue="banyan.${['orders', 'users'][at]}"} ${count}`),
    ...[7, 7].map((count, at) => `inbox_failures_total{queue="banyan.${['orders', 'users'][at]}"} ${count}`),
    ...[1, 1].map((count, at) => `inbox_dead_letters_total{queue="banyan.${['orders', 'users'][at]}"} ${count}`),
  ])
})
