/** Who may talk to whom, and under what name. */
import { type Check, the } from '../support/check.ts'
import {
  idOf,
  type Obj,
  ofKind,
  type Peer,
  podLabels,
  podOf,
  type Selector,
  selects,
  workloads,
} from '../support/objects.ts'

/** What CONSOLE_SESSION_MINUTES is unless told. */
const SESSION_SECONDS = 480 * 60

const policies = (objects: readonly Obj[]) => ofKind(objects, 'NetworkPolicy')
const matching = (objects: readonly Obj[], selector: Selector | undefined) =>
  workloads(objects).filter((one) => selects(selector, podLabels(one)))

/** Whom the pods know outside of their namespace, by the labels of namespaces and of pods there. */
const BEYOND = [
  'dns: to kubernetes.io/metadata.name=kube-system k8s-app=kube-dns 53 53',
  'door: from door.banyan/opens http',
  'keda: from kubernetes.io/metadata.name=keda 5672',
  'loki: from logs.banyan/ships=true 3100',
  'metrics: from kubernetes.io/metadata.name=monitoring app.kubernetes.io/name=prometheus http ops',
  'postgres-operator: from kubernetes.io/metadata.name=cnpg-system 8000',
  'postgres-operator: from kubernetes.io/metadata.name=monitoring app.kubernetes.io/name=prometheus 9187',
  'rabbitmq-metrics: from kubernetes.io/metadata.name=monitoring app.kubernetes.io/name=prometheus 15692',
  'rabbitmq-operator: from kubernetes.io/metadata.name=rabbitmq-system 15672',
]
const place = ({ namespaceSelector, podSelector }: Peer) =>
  [namespaceSelector, podSelector].flatMap((selector) => labelsOf(selector)).join(' ')

export const networkChecks: Check[] = [
  {
    n: 4,
    title: 'the namespace admits, warns of and audits restricted pods only',
    faults: (objects) => {
      const labels = ofKind(objects, 'Namespace').map((one) => one.metadata.labels ?? {})
      const modes = ['enforce', 'warn', 'audit'].map((mode) => `pod-security.kubernetes.io/${mode}`)
      const missing = modes.filter((mode) => labels.length === 0 || labels.some((one) => one[mode] !== 'restricted'))
      return [...missing, ...objects.filter((one) => isOutside(one)).map((one) => `${idOf(one)}: in another namespace`)]
    },
    plant: (objects) => {
      the(objects, 'Namespace', 'banyan').metadata.labels!['pod-security.kubernetes.io/warn'] = 'baseline'
    },
  },
  {
    n: 21,
    title: 'everything is denied, names are asked of the cluster’s DNS alone, and no rule is open',
    faults: (objects) => {
      const denied = policies(objects).some(
        ({ spec: { podSelector, policyTypes, ingress, egress } }) =>
          Object.keys(podSelector ?? {}).length === 0 && policyTypes?.length === 2 && !ingress && !egress,
      )
      const open = policies(objects).flatMap((policy) =>
        [...(policy.spec.ingress ?? []), ...(policy.spec.egress ?? [])]
          .filter(({ from, to, ports }) => !(from ?? to)?.length || !ports?.length)
          .map(() => `${idOf(policy)}: an open rule`),
      )
      // Only a server of an operator asks the cluster's API, which has no labels; never where a node's credentials are.
      const outside = policies(objects).filter((policy) => {
        const blocks = [...(policy.spec.egress ?? []), ...(policy.spec.ingress ?? [])]
          .flatMap(({ from, to }) => [...(from ?? []), ...(to ?? [])])
          .flatMap((peer) => (peer.ipBlock ? [JSON.stringify(peer.ipBlock)] : []))
        const bad = blocks.some((block) => !block.includes('169.254.169.254/32'))
        return bad || (blocks.length > 0 && !policy.metadata.name.endsWith('-operator'))
      })
      const dns = policies(objects).some((policy) => policy.metadata.name === 'dns')
      return [...open, ...outside.map(idOf), ...(denied ? [] : ['nothing is denied']), ...(dns ? [] : ['no DNS'])]
    },
    plant: (objects) => {
      the(objects, 'NetworkPolicy', 'calls-postgres').spec.egress = [{}]
    },
  },
  {
    n: 21,
    title:
      'from other namespaces, and of them, only what is said here is let in or asked, and no range of ports is open',
    faults: (objects) =>
      policies(objects).flatMap((policy) => {
        const rules = [...(policy.spec.ingress ?? []), ...(policy.spec.egress ?? [])]
        return rules.flatMap(({ from, to, ports = [] }) => {
          const beyond = [...(from ?? []), ...(to ?? [])].filter((peer) => peer.namespaceSelector)
          const numbers = ports.map(({ port }) => port).join(' ')
          return [
            ...beyond
              .map((peer) => `${policy.metadata.name}: ${to ? 'to' : 'from'} ${place(peer)} ${numbers}`)
              .filter((one) => !BEYOND.includes(one)),
            ...ports
              .filter((port) => 'endPort' in port)
              .map(({ port }) => `${idOf(policy)}: all ports from ${port} on`),
          ]
        })
      }),
    plant: (objects) => {
      the(objects, 'NetworkPolicy', 'to-order-service').spec.ingress!.push({
        from: [{ namespaceSelector: {} }],
        ports: [{ port: 3004 }],
      })
    },
  },
  {
    n: 22,
    title: 'a policy selects somebody, and so does each of its peers, on a port that they have',
    faults: (objects) =>
      policies(objects).flatMap((policy) => {
        const subjects = matching(objects, policy.spec.podSelector)
        if (subjects.length === 0) return [`${idOf(policy)}: selects nobody`]
        const rules = [...(policy.spec.ingress ?? []), ...(policy.spec.egress ?? [])]
        return rules.flatMap(({ from, to, ports = [] }) => {
          const within = [...(from ?? []), ...(to ?? [])].filter((peer) => !peer.namespaceSelector && !peer.ipBlock)
          const dangling = within
            .filter((peer) => matching(objects, peer.podSelector).length === 0)
            .map((peer) => `${idOf(policy)}: no peer ${JSON.stringify(peer)}`)
          if (to?.some((peer) => peer.namespaceSelector ?? peer.ipBlock)) return dangling
          const callees = from ? subjects : within.flatMap((peer) => matching(objects, peer.podSelector))
          const known = callees.flatMap((one) =>
            podOf(one).containers.flatMap((container) =>
              (container.ports ?? []).flatMap((port) => [port.name, port.containerPort]),
            ),
          )
          const closed = ports.filter(({ port }) => !known.includes(port as string | number))
          return [...dangling, ...closed.map(({ port }) => `${idOf(policy)}: nobody listens on ${port}`)]
        })
      }),
    plant: (objects) => {
      the(objects, 'NetworkPolicy', 'calls-postgres').spec.egress![0]!.to![0]!.podSelector = {
        matchLabels: { 'app.kubernetes.io/name': 'mysql' },
      }
    },
  },
  {
    n: 23,
    title: 'a Service selects pods that have its port, and opens none on the nodes',
    faults: (objects) =>
      ofKind(objects, 'Service').flatMap((service) => {
        const { selector, type = 'ClusterIP', ports = [], externalIPs } = service.spec
        const pods = workloads(objects).filter((one) => selects({ matchLabels: selector as never }, podLabels(one)))
        const wrong = ports.filter(
          ({ targetPort }) =>
            !pods.some((one) => podOf(one).containers.some((c) => c.ports?.some((port) => port.name === targetPort))),
        )
        const jobs = pods.filter((one) => one.kind === 'Job')
        const bad = type !== 'ClusterIP' || externalIPs || pods.length === 0 || wrong.length > 0 || jobs.length > 0
        return bad ? [`${idOf(service)}: ${type}, ${pods.map(idOf)}, ${wrong.map((port) => port.targetPort)}`] : []
      }),
    plant: (objects) => {
      the(objects, 'Service', 'order-service').spec.ports![0]!.targetPort = 'https'
    },
  },
  {
    n: 23,
    title: 'the console’s Service keeps a client with the proxy that knows its session, for as long as that lasts',
    faults: (objects) =>
      ofKind(objects, 'Service')
        .filter(({ metadata }) => metadata.name === 'proxy-ops')
        .filter(({ spec }) => {
          const { clientIP } = (spec.sessionAffinityConfig ?? {}) as { clientIP?: { timeoutSeconds?: number } }
          return spec.sessionAffinity !== 'ClientIP' || !((clientIP?.timeoutSeconds ?? 0) >= SESSION_SECONDS)
        })
        .map(idOf),
    plant: (objects) => {
      the(objects, 'Service', 'proxy-ops').spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: 10_800 } }
    },
  },
]

function labelsOf({ matchLabels = {}, matchExpressions = [] }: Selector = {}): string[] {
  return [
    ...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`),
    ...matchExpressions.map(({ key, operator, values }) =>
      operator === 'Exists' ? key : `${key} ${operator} ${values}`,
    ),
  ]
}

function isOutside(object: Obj): boolean {
  return object.kind !== 'Namespace' && object.metadata.namespace !== 'banyan'
}
