/** Rendered objects, as far as checks look into them. */
export type Labels = Record<string, string>
export type Selector = {
  matchLabels?: Labels
  matchExpressions?: { key: string; operator: string; values?: string[] }[]
}
export type Resources = { requests?: Labels; limits?: Labels }
export type Security = Record<string, unknown> & {
  capabilities?: { drop?: string[]; add?: string[] }
  seccompProfile?: { type?: string }
  runAsUser?: number
  runAsGroup?: number
  runAsNonRoot?: boolean
}
export type Probe = {
  httpGet?: { path?: string; port?: string | number; host?: string }
  tcpSocket?: { port?: string | number; host?: string }
  exec?: { command?: string[] }
}
export type EnvVar = { name: string; value?: string; valueFrom?: Record<string, unknown> }
export type Container = {
  name: string
  image: string
  args?: string[]
  command?: string[]
  env?: EnvVar[]
  envFrom?: { configMapRef?: { name: string }; secretRef?: { name: string } }[]
  ports?: ContainerPort[]
  resources?: Resources
  securityContext?: Security & { privileged?: boolean }
  startupProbe?: Probe
  readinessProbe?: Probe
  livenessProbe?: Probe
  lifecycle?: { preStop?: { sleep?: { seconds: number } } }
  volumeMounts?: { name: string; mountPath: string }[]
}
export type Volume = Record<string, unknown> & { name: string; emptyDir?: { sizeLimit?: string } }
export type PodSpec = Record<string, unknown> & {
  serviceAccountName?: string
  automountServiceAccountToken?: boolean
  enableServiceLinks?: boolean
  terminationGracePeriodSeconds?: number
  restartPolicy?: string
  securityContext?: Security
  containers: Container[]
  initContainers?: Container[]
  volumes?: Volume[]
  topologySpreadConstraints?: { topologyKey: string; labelSelector: Selector }[]
}
export type PodTemplate = { metadata: { labels?: Labels }; spec: PodSpec }
export type ContainerPort = { name?: string; containerPort: number; hostPort?: number }
export type Port = { name?: string; port: number | string; targetPort?: number | string; protocol?: string }
export type Peer = { podSelector?: Selector; namespaceSelector?: Selector; ipBlock?: object }
export type Rule = { from?: Peer[]; to?: Peer[]; ports?: Port[] }

export type Obj = {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; labels?: Labels; annotations?: Labels }
  type?: string
  data?: Labels
  stringData?: Labels
  automountServiceAccountToken?: boolean
  spec: Record<string, unknown> & {
    type?: string
    replicas?: number
    /** Of a Service: the labels themselves. */
    selector?: Selector | Labels
    template: PodTemplate
    ports?: Port[]
    podSelector?: Selector
    ingress?: Rule[]
    egress?: Rule[]
    policyTypes?: string[]
    hard?: Labels
    strategy?: { type?: string; rollingUpdate?: { maxUnavailable?: number | string; maxSurge?: number | string } }
    minReadySeconds?: number
    scaleTargetRef?: { apiVersion?: string; kind?: string; name: string }
    minReplicas?: number
    maxReplicas?: number
    behavior?: { scaleDown?: { stabilizationWindowSeconds?: number } }
    maxUnavailable?: number | string
    minAvailable?: number | string
    unhealthyPodEvictionPolicy?: string
    backoffLimit?: number
    activeDeadlineSeconds?: number
    ttlSecondsAfterFinished?: number
    volumeClaimTemplates?: { spec: { resources: Resources } }[]
    instances?: number
  }
}

export const idOf = (object: Obj) => `${object.kind}/${object.metadata.name}`
export const ofKind = (objects: readonly Obj[], ...kinds: string[]) =>
  objects.filter((object) => kinds.includes(object.kind))
/** Whatever starts pods. */
export const workloads = (objects: readonly Obj[]) => ofKind(objects, 'Deployment', 'StatefulSet', 'Job')
/** Those that stay. */
export const servers = (objects: readonly Obj[]) => ofKind(objects, 'Deployment', 'StatefulSet')
export const podOf = (workload: Obj) => workload.spec.template.spec
export const podLabels = (workload: Obj): Labels => workload.spec.template.metadata.labels ?? {}
export const containersOf = (workload: Obj) => [
  ...podOf(workload).containers,
  ...(podOf(workload).initContainers ?? []),
]

/** Every container with where it is, for messages. */
export const everyContainer = (objects: readonly Obj[]) =>
  workloads(objects).flatMap((workload) =>
    containersOf(workload).map((container) => ({ at: `${idOf(workload)}/${container.name}`, container, workload })),
  )

/** Whether labels satisfy a selector; an empty one selects everything. */
export function selects(given: Selector | Labels | undefined, labels: Labels): boolean {
  if (given === undefined) return false
  const selector = given as Selector
  const equal = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value)
  return (
    equal &&
    (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      if (operator === 'Exists') return key in labels
      if (operator === 'DoesNotExist') return !(key in labels)
      if (operator === 'In') return values.includes(labels[key] ?? '')
      throw new Error(`the checks do not know the operator ${operator}`)
    })
  )
}

const UNITS: Record<string, number> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, m: 1 / 1000, '': 1 }

/** A quantity of Kubernetes as a number: bytes, cores or pieces. */
export function quantity(text: string | number): number {
  const [, number, unit] = /^([\d.]+)([A-Za-z]*)$/.exec(String(text)) ?? []
  const factor = UNITS[unit ?? '?']
  if (number === undefined || factor === undefined) throw new Error(`not a quantity that the checks know: ${text}`)
  return Number(number) * factor
}
