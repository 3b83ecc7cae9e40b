/** 48. Dashboards and alerts ask for what the processes export, and the page for operators knows every alert. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import { parse } from 'yaml'
import { SERVICES } from '../../compose/provision/services.ts'
import type { Broker } from '../../kit/broker/index.ts'
import { exportConsumers, noteConsumer } from '../../kit/inbox/consumer-metrics.ts'
import { exportRelay } from '../../kit/outbox/relay-metrics.ts'
import { exportRunner } from '../../kit/saga/index.ts'
import { createMetrics } from '../../kit/service/metrics.ts'
import { HOLD_LIMITS } from '../../strangler-proxy/src/hold.ts'
import { createProxyMetrics } from '../../strangler-proxy/src/metrics.ts'
import { labelsIn, metricsIn, seriesOf } from './support/promql.ts'

const ROOT = join(import.meta.dirname, '../..')
const TELEMETRY = 'k8s/components/telemetry'
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

type Rule = { alert: string; expr: string; for: string; annotations: { summary: string } }
type Group = { name: string; rules: Rule[] }
const groups: Group[] = parse(read(`${TELEMETRY}/prometheus/alerts.yaml`)).groups
const rules = groups.flatMap((group) => group.rules)

const dashboards = readdirSync(join(ROOT, TELEMETRY, 'grafana/dashboards')).map((file) => ({
  file,
  panels: JSON.parse(read(`${TELEMETRY}/grafana/dashboards/${file}`)).panels as {
    title: string
    targets: { expr: string }[]
  }[],
}))

/** What Prometheus adds to whatever it asks. */
const OF_TARGETS = ['pod', 'instance', 'job']

/** As `/metrics` of a service with a relay, and of the proxy, answers; and the labels of each. */
async function exported(): Promise<{ names: Set<string>; labels: Map<string, readonly string[]> }> {
  const service = createMetrics()
  const failed = { nack: 0, returned: 0, timeout: 0, lost: 0, closed: 0 }
  const now = { leading: true, backlog: 0, oldestAgeMs: 0, published: 0, purged: 0, failed, troubledStreams: 0 }
  exportRelay(service.registry, () => ({ ...now, confirmLatencyMs: { p50: 0, p99: 0 } }))
  const broker = {} as Broker
  exportConsumers(service.registry, broker)
  noteConsumer(broker, 'banyan.any', () => ({ active: true, handled: 0, duplicates: 0, failures: 0, dead: 0 }))
  exportRunner(service.registry, () => ({ attention: new Map([['any', 0]]) }))
  const none = () => 0
  const { http } = createProxyMetrics({
    ...{ inFlight: none, held: none, holdLastsMs: none, staleMs: none, flagsStaleMs: none },
    leaseValid: () => true,
    groups: () => [],
  })
  const registries = [service.registry, http.registry]
  const texts = await Promise.all(registries.map((registry) => registry.metrics()))
  const all = registries.flatMap((registry) => registry.getMetricsAsArray()) as unknown as Labelled[]
  return {
    names: new Set(texts.flatMap((text) => [...seriesOf(text)])),
    labels: new Map(all.map(({ name, labelNames = [] }) => [name, labelNames])),
  }
}
type Labelled = { name: string; labelNames?: readonly string[] }

describe('48. asked for is only what is exported:', async () => {
  const known = await exported()
  const unknown = (expression: string) => {
    const asked = metricsIn(expression)
    const labels = asked.flatMap((name) => {
      const histogram = /^(.*)_(?:bucket|sum|count)$/.exec(name)?.[1] ?? ''
      return known.labels.get(name) ?? [...(known.labels.get(histogram) ?? []), 'le']
    })
    return [
      ...asked.filter((name) => !known.names.has(name)),
      ...labelsIn(expression).filter((label) => ![...labels, ...OF_TARGETS].includes(label)),
    ]
  }

  it.each(rules)('by the alert $alert', ({ expr }) => {
    expect(metricsIn(expr)).not.toEqual([])
    expect(unknown(expr)).toEqual([])
  })

  it.each(dashboards)('by the dashboard $file', ({ panels }) => {
    const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))
    expect(expressions.length).toBeGreaterThan(0)
    for (const expression of expressions) expect(metricsIn(expression)).not.toEqual([])
    expect(expressions.flatMap(unknown)).toEqual([])
  })

  it('and anything else would be seen', () => {
    expect(unknown('sum by (le) (rate(proxy_gone_total{side="service"}[5m])) > 0.5 and up == 1')).toEqual([
      'proxy_gone_total',
      'up',
      'side',
    ])
    expect(unknown('sum by (site) (rate(proxy_decisions_total{side="service", raison!="share"}[5m]))')).toEqual([
      'raison',
      'site',
    ])
  })
})

test('a hold is told of only when it is longer than the door lets anybody wait for one', () => {
  const { expr = '' } = rules.find(({ alert }) => alert === 'HoldLasts') ?? {}
  const [, seconds] = /^max\(proxy_hold_seconds\) by \(pod\) > (\d+)$/.exec(expr) ?? []
  expect(Number(seconds) * 1_000).toBeGreaterThan(HOLD_LIMITS.leaseMs)
})

test('what the door answers itself for want of an answer, by each of its codes, is alarmed of', () => {
  const sources = readdirSync(join(ROOT, 'strangler-proxy/src'), { recursive: true, encoding: 'utf8' })
  const codes = sources
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .flatMap((file) => [...read(`strangler-proxy/src/${file}`).matchAll(/status: 5\d\d,\s+code: '([\w-]+)'/g)])
    .map(([, code]) => code as string)
  // A switch, which ends; what other alerts tell of; and what is never spoken here.
  const others = ['context-moving', 'owner-unknown', 'upgrade-not-spoken']
  expect(codes).toEqual(expect.arrayContaining(others))
  const { expr = '' } = rules.find(({ alert }) => alert === 'DoorUnanswered') ?? {}
  const [, told = ''] = /code=~"([^"]+)"/.exec(expr) ?? []
  expect(told.split('|')).toEqual(codes.filter((code) => !others.includes(code)).sort())
})

test('the alerts are the same ones on Kubernetes', () => {
  const operator = parse(read('k8s/components/prometheus-operator/alerts.yaml')) as { spec: { groups: Group[] } }
  expect(operator.spec.groups).toEqual(groups)
})

test('the page for operators says of every alert which fault fires it, and of no other', () => {
  const told = [...read('docs/operate.md').matchAll(/^\| `([A-Z]\w+)` +\|/gm)].map(([, name]) => name)
  expect(told.sort()).toEqual(rules.map(({ alert }) => alert).sort())
})

test('Prometheus asks the monolith, every service and the proxy, each at its port', () => {
  type Job = { dns_sd_configs: { names: string[]; port: number }[] }
  const { scrape_configs } = parse(read('compose/observability/prometheus.yaml'), { merge: true }) as {
    scrape_configs: Job[]
  }
  const asked = scrape_configs.flatMap((job) => job.dns_sd_configs.map(({ names, port }) => [names[0], port]))
  const services = SERVICES.map(({ name, port }) => [name, port])
  expect(asked.sort()).toEqual([['monolith', 3000], ['proxy', 8081], ...services].sort())
})

test('what one viewer is told of another is there: addresses, files, data sources', () => {
  const names = ['collector', 'tempo', 'loki', 'prometheus', 'grafana']
  const mounted = [...read('compose/observability.yaml').matchAll(/- (\.\.?\/[\w./-]+\.yaml):/g)].map(([, file]) =>
    join('compose', file as string),
  )
  expect(mounted.length).toBeGreaterThan(names.length)
  for (const file of mounted) {
    const hosts = [...read(file).matchAll(/(?:http:\/\/|endpoint: )([a-z]+):\d+/g)].map(([, host]) => host as string)
    expect({ file, unknown: hosts.filter((host) => !names.includes(host)) }).toEqual({ file, unknown: [] })
  }
  const left = readdirSync(join(ROOT, 'compose/observability')).map((file) => join('compose/observability', file))
  expect(left.filter((file) => !mounted.includes(file))).toEqual([])
  const { datasources } = parse(read(`${TELEMETRY}/grafana/sources.yaml`)) as { datasources: { uid: string }[] }
  const asked = new Set(read(`${TELEMETRY}/grafana/dashboards/move.json`).match(/"uid": "(?!banyan)[^"]+"/g))
  for (const uid of asked) expect(datasources.map((source) => `"uid": "${source.uid}"`)).toContain(uid)
})
