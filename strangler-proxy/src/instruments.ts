import type { Metrics } from '@banyan/kit/service'
import { Counter, Gauge, Histogram } from 'prom-client'

// Prometheus' instruments as a proxy can pay for them: labels are checked and joined the first time they are seen, and
// a request finds what it counts by one step for each.

export type Registers = Metrics['registry'][]

/** Counts one more for these labels. */
export type Count = (...labels: string[]) => void

export function counted(registers: Registers, name: string, help: string, labelNames: string[]): Count {
  const all: { readonly labels: readonly string[]; count: number }[] = []
  const of = byLabels((labels) => {
    const made = { labels, count: 0 }
    all.push(made)
    return made
  })
  new Counter({
    ...{ name, help, labelNames, registers },
    collect() {
      this.reset()
      for (const { labels, count } of all) this.labels(...labels).inc(count)
    },
  })
  return (...labels) => {
    of(labels).count += 1
  }
}

/** Puts a time in milliseconds down for these labels. */
export type Time = (ms: number, ...labels: string[]) => void

/** @param seconds The upper bounds of its buckets, ascending. */
export function timed(
  registers: Registers,
  name: string,
  help: string,
  labelNames: string[],
  seconds: readonly number[],
): Time {
  const histogram = new Histogram({ name, help, labelNames, buckets: [...seconds], registers })
  const of = byLabels((labels) => histogram.labels(...labels))
  return (ms, ...labels) => of(labels).observe(ms / 1000)
}

export function gauge(registers: Registers, name: string, help: string, read: () => number): void {
  new Gauge({
    ...{ name, help, registers },
    collect() {
      const value = read()
      this.set(Number.isFinite(value) ? value : -1)
    },
  })
}

interface Node<T> {
  here: T | undefined
  readonly below: Map<string, Node<T>>
}

function byLabels<T>(make: (labels: readonly string[]) => T): (labels: readonly string[]) => T {
  const root: Node<T> = { here: undefined, below: new Map() }
  return (labels) => {
    let node = root
    for (const label of labels) {
      let next = node.below.get(label)
      if (next === undefined) {
        next = { here: undefined, below: new Map() }
        node.below.set(label, next)
      }
      node = next
    }
    node.here ??= make(labels)
    return node.here
  }
}
