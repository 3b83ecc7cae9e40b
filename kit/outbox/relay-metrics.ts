import { Counter, Gauge, type Registry } from 'prom-client'
import type { RelayStats } from './meter.ts'

/** What a relay measures, for Prometheus: read when somebody asks. */
export function exportRelay(registry: Registry, stats: () => RelayStats): void {
  const registers = [registry]
  const gauge = (name: string, help: string, read: (now: RelayStats) => number) =>
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(read(stats()))
      },
    })
  gauge('outbox_backlog', 'Events that wait to be published; counting stops at 100,000', (now) => now.backlog)
  gauge('outbox_oldest_age_seconds', 'Age of the oldest of them', (now) => now.oldestAgeMs / 1000)
  gauge('outbox_relay_leads', 'Whether this process publishes; else it stands by', (now) => Number(now.leading))
  gauge('outbox_troubled_streams', 'Streams that wait after a failure', (now) => now.troubledStreams)
  new Counter({
    name: 'outbox_published_total',
    help: 'Events published by this process',
    registers,
    collect() {
      this.reset()
      this.inc(stats().published)
    },
  })
  new Counter({
    name: 'outbox_failures_total',
    help: 'Publications that failed, by fault: each is tried again',
    labelNames: ['fault'],
    registers,
    collect() {
      this.reset()
      for (const [fault, count] of Object.entries(stats().failed)) this.labels(fault).inc(count)
    },
  })
}
