import { Counter, Gauge, type Registry } from 'prom-client'
import type { Broker } from '../broker/index.ts'

export interface ConsumerStats {
  /** Whether messages are coming in. */
  active: boolean
  handled: number
  duplicates: number
  /** Failed attempts. */
  failures: number
  /** Moved to the dead letters. */
  dead: number
}

type Stats = () => ConsumerStats
const consumers = new WeakMap<Broker, Map<string, Stats>>()

/** Makes a consumer known to whoever exports those of its broker. */
export function noteConsumer(broker: Broker, queue: string, stats: Stats): void {
  const known = consumers.get(broker) ?? new Map<string, Stats>()
  consumers.set(broker, known.set(queue, stats))
}

/** What the consumers of a process measure, for Prometheus: read when somebody asks. */
export function exportConsumers(registry: Registry, broker: Broker): void {
  const common = { labelNames: ['queue'], registers: [registry] }
  const known = () => [...(consumers.get(broker) ?? [])].map(([queue, stats]) => [queue, stats()] as const)
  const counter = (name: string, help: string, read: (now: ConsumerStats) => number) =>
    new Counter({
      ...{ name, help, ...common },
      collect() {
        this.reset()
        for (const [queue, now] of known()) this.labels(queue).inc(read(now))
      },
    })
  new Gauge({
    name: 'inbox_consumes',
    help: 'Whether this process takes events from the queue; else the other side owns the context',
    ...common,
    collect() {
      for (const [queue, now] of known()) this.labels(queue).set(Number(now.active))
    },
  })
  counter('inbox_handled_total', 'Events handled by this process, without those handled before', (now) => now.handled)
  counter('inbox_failures_total', 'Attempts to handle an event that failed: each is tried again', (now) => now.failures)
  counter('inbox_dead_letters_total', 'Events given up, which are among the dead letters now', (now) => now.dead)
}
