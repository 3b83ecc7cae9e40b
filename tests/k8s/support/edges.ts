/** Who may open a connection to whom: as the policies say, and as the architecture says. */
import { MONOLITH, type Stage, servicesOf } from '../../../compose/provision/services.ts'
import { type ContainerPort, type Obj, ofKind, podLabels, podOf, type Rule, selects, workloads } from './objects.ts'

/** `caller → callee:port`, of every pair of workloads where both ends are open. */
export function allowedEdges(objects: readonly Obj[]): string[] {
  const policies = ofKind(objects, 'NetworkPolicy')
  const rulesOf = (pod: Obj, direction: 'ingress' | 'egress') =>
    policies
      .filter(({ spec }) => selects(spec.podSelector, podLabels(pod)))
      .flatMap(({ spec }) => spec[direction] ?? [])
  const opens = (rules: readonly Rule[], other: Obj, { name, containerPort }: ContainerPort) =>
    rules.some(
      ({ from, to, ports = [] }) =>
        ports.some(({ port }) => port === containerPort || port === name) &&
        (from ?? to ?? []).some((peer) => !peer.namespaceSelector && selects(peer.podSelector, podLabels(other))),
    )
  return workloads(objects).flatMap((caller) =>
    workloads(objects).flatMap((callee) =>
      podOf(callee)
        .containers.flatMap((container) => container.ports ?? [])
        .filter(
          (port) => opens(rulesOf(caller, 'egress'), callee, port) && opens(rulesOf(callee, 'ingress'), caller, port),
        )
        .map((port) => `${caller.metadata.name} → ${callee.metadata.name}:${port.containerPort}`),
    ),
  )
}

/** What the component `telemetry` adds to the architecture: spans go out, figures are asked for, Grafana asks the stores. */
export function watching(stage: Stage): string[] {
  const rows = [...(stage < 7 ? [MONOLITH] : []), ...servicesOf(stage)]
  return [
    ...[...rows.map(({ name }) => name), 'proxy', ...moverIn(stage)].map((name) => `${name} → collector:4318`),
    ...rows.map(({ name, port }) => `prometheus → ${name}:${port}`),
    'prometheus → proxy:8081',
    'collector → tempo:4317',
    ...['tempo:3200', 'loki:3100', 'prometheus:9090'].map((store) => `grafana → ${store}`),
  ]
}

/** It comes with the first service and goes with the monolith. */
function moverIn(stage: Stage): string[] {
  return stage >= 2 && stage < 7 ? ['mover'] : []
}

/** The same from `compose/provision/services.ts`: who has a database, a broker, and whom each row calls. */
export function architecture(stage: Stage): string[] {
  const services = servicesOf(stage)
  const ports = new Map([...services.map((row) => [row.name, row.port] as const), [MONOLITH.name, MONOLITH.port]])
  const hasMonolith = stage < 7
  const shop = [...(hasMonolith ? [MONOLITH] : []), ...services]
  const gifts = { 'payment-provider': 'payment-provider:4001', 'mail-server': 'smtp-sink:4025' } as Record<
    string,
    string
  >
  const edges = shop.flatMap(({ name, needs = [], calls = [] }) => [
    `${name} → postgres:5432`,
    `${name} → rabbitmq:5672`,
    ...needs.flatMap((need) => (gifts[need] ? [`${name} → ${gifts[need]}`] : [])),
    ...calls
      .filter((callee) => services.some((row) => row.name === callee))
      .map((it) => `${name} → ${it}:${ports.get(it)}`),
  ])
  const setup = [...(hasMonolith ? ['database-shop'] : []), ...services.map((row) => `database-${row.database}`)].map(
    (job) => `${job} → postgres:5432`,
  )
  if (stage === 0) return [...edges, ...setup].sort()
  const contexts = hasMonolith ? services.map((row) => `context-${row.context}`) : []
  const withFlags = [...contexts, ...moverIn(stage), 'proxy']
  return [
    ...edges,
    ...setup,
    ...['database-control', 'database-unleash', 'unleash'].map((one) => `${one} → postgres:5432`),
    ...withFlags.flatMap((one) => [`${one} → postgres:5432`, `${one} → unleash:4242`]),
    ...(withFlags.includes('mover') ? ['mover → rabbitmq:5672', 'mover → proxy:8081'] : []),
    ...shop.map(({ name }) => `proxy → ${name}:${ports.get(name)}`),
  ].sort()
}
