import type { Metrics } from '@banyan/kit/service'
import { Counter, Gauge, type Metric, type MetricValueWithName } from 'prom-client'

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
  const all: Series[] = []
  const of = byLabels((labels) => {
    const entries = labelNames.map((label, at) => [label, labels[at] ?? ''])
    const made = { labels: Object.fromEntries(entries), counts: new Float64Array(seconds.length + 1), sum: 0 }
    all.push(made)
    return made
  })
  if (labelNames.length === 0) of([])
  const type = 'histogram'
  const get = async () => ({ name, help, type, values: all.flatMap((series) => valuesOf(name, seconds, series)) })
  // The library's own histogram joins the labels anew for each time; a register takes whatever can show itself.
  for (const register of registers) register.registerMetric({ name, help, type, labelNames, get } as unknown as Metric)
  return (ms, ...labels) => {
    const series = of(labels)
    const value = ms / 1000
    let at = 0
    while (at < seconds.length && value > seconds[at]!) at += 1
    series.counts[at]! += 1
    series.sum += value
  }
}

type Shown = MetricValueWithName<string>

/** The times of one set of labels: how many fell into each bucket and no lower one, the last without a bound. */
interface Series {
  readonly labels: Readonly<Record<string, string>>
  readonly counts: Float64Array
  sum: number
}

/** As Prometheus is shown it: each bucket holds all that is no longer than its bound. */
function valuesOf(name: string, seconds: readonly number[], { labels, counts, sum }: Series): Shown[] {
  let total = 0
  const buckets = [...counts].map((count, at) => {
    total += count
    return { metricName: `${name}_bucket`, labels: { le: seconds[at] ?? '+Inf', ...labels }, value: total }
  })
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: total },
  ]
}

export function gauge(registers: Registers, name: string, help: string, read: () => number): void {
  new Gauge({
    ...{ name, help, registers },
    collect() {
      this.set(read())
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
