import { Counter, type Registry } from 'prom-client'

export type RunnerStats = {
  /** Of each kind of saga that it runs, how many ended in NEEDS_ATTENTION in its hands. */
  attention: ReadonlyMap<string, number>
}

/** What a runner measures, for Prometheus: read when somebody asks. */
export function exportRunner(registry: Registry, stats: () => RunnerStats): void {
  new Counter({
    name: 'saga_attention_total',
    help: 'Sagas that can neither go on nor back, and wait for a person',
    labelNames: ['saga'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [saga, count] of stats().attention) this.labels(saga).inc(count)
    },
  })
}
