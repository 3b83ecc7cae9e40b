/** What operators are asked for. */
import { type Check, the } from '../support/check.ts'
import { idOf, type Obj, ofKind, selects } from '../support/objects.ts'

type Cluster = {
  instances?: number
  enablePDB?: boolean
  backup?: { barmanObjectStore?: unknown; retentionPolicy?: string }
  synchronous?: unknown
}

export const operatorChecks: Check[] = [
  {
    n: 18,
    title: 'a ScaledObject finds its target, keeps two and shrinks slowly',
    faults: (objects) =>
      ofKind(objects, 'ScaledObject')
        .filter((one) => {
          const target = ofKind(objects, 'Deployment').some(
            ({ metadata }) => metadata.name === one.spec.scaleTargetRef?.name,
          )
          const { minReplicaCount = 0, cooldownPeriod = 0 } = one.spec as {
            minReplicaCount?: number
            cooldownPeriod?: number
          }
          return !target || minReplicaCount < 2 || cooldownPeriod < 60
        })
        .map(idOf),
    plant: (objects) => {
      the(objects, 'ScaledObject', 'shipping-service').spec.minReplicaCount = 1
    },
  },
  {
    n: 30,
    title: 'PostgreSQL and RabbitMQ of operators are three, with backups and budgets',
    faults: (objects) => [...ofKind(objects, 'Cluster').flatMap(clusterFaults(objects)), ...brokerFaults(objects)],
    plant: (objects) => {
      delete (the(objects, 'Cluster', 'postgres').spec as Cluster).backup
    },
  },
  {
    n: 30,
    title: 'and where prometheus-operator is, it asks them for those',
    faults: (objects) =>
      ofKind(objects, 'PodMonitor').length === 0
        ? []
        : [
            ...ofKind(objects, 'Cluster').flatMap(unwatched(objects, 'metrics', 9187)),
            ...ofKind(objects, 'RabbitmqCluster').flatMap(unwatched(objects, 'prometheus', 15692)),
          ],
    plant: (objects) => {
      const policy = the(objects, 'NetworkPolicy', 'postgres-operator')
      policy.spec.ingress = policy.spec.ingress!.filter(({ ports }) => ports?.[0]?.port !== 9187)
    },
  },
]

/** @param port as the pods that the operator makes call it */
const unwatched = (objects: readonly Obj[], port: string, number: number) => (one: Obj) => {
  const labels = { 'app.kubernetes.io/name': one.metadata.name }
  const asked = ofKind(objects, 'PodMonitor').some(({ spec }) => {
    const endpoints = spec.podMetricsEndpoints as { port: string }[]
    return selects(spec.selector, labels) && endpoints.some((endpoint) => endpoint.port === port)
  })
  const open = ofKind(objects, 'NetworkPolicy').some(
    ({ spec }) =>
      selects(spec.podSelector, labels) &&
      spec.ingress?.some(
        ({ from, ports }) =>
          ports?.some((each) => each.port === number) &&
          from?.some(({ podSelector }) => podSelector?.matchLabels?.['app.kubernetes.io/name'] === 'prometheus'),
      ),
  )
  return [...(asked ? [] : [`${idOf(one)}: nobody asks`]), ...(open ? [] : [`${idOf(one)}: no way to ${number}`])]
}

const clusterFaults = (objects: readonly Obj[]) => (one: Obj) => {
  const { instances = 1, enablePDB, backup } = one.spec as Cluster
  const nightly = ofKind(objects, 'ScheduledBackup').some(
    ({ spec }) => (spec.cluster as { name: string }).name === one.metadata.name,
  )
  return [
    ...(instances >= 3 ? [] : [`${idOf(one)}: ${instances}`]),
    ...(enablePDB === true ? [] : [`${idOf(one)}: no budget`]),
    ...(backup?.barmanObjectStore && backup.retentionPolicy && nightly ? [] : [`${idOf(one)}: no backup`]),
  ]
}

function brokerFaults(objects: readonly Obj[]): string[] {
  return ofKind(objects, 'RabbitmqCluster').flatMap((one) => {
    const { replicas = 1, rabbitmq } = one.spec as { replicas?: number; rabbitmq?: { additionalConfig?: string } }
    const minority = rabbitmq?.additionalConfig?.includes('cluster_partition_handling = pause_minority')
    const budget = ofKind(objects, 'PodDisruptionBudget').some(({ metadata }) => metadata.name === one.metadata.name)
    return replicas >= 3 && minority && budget ? [] : [idOf(one)]
  })
}
