/** Settings, secrets, migrations, labels, bounds. */
import { type Check, the } from '../support/check.ts'
import {
  everyContainer,
  idOf,
  type Obj,
  ofKind,
  podLabels,
  podOf,
  quantity,
  type Selector,
  servers,
  workloads,
} from '../support/objects.ts'

const SENSITIVE = /PASSWORD|SECRET|TOKEN|OPERATORS|_KEYS?$|JWKS|DATABASE_URL|AMQP_URL/
/** `FILE` names a file, not what is in it; the seconds of a token are no token. */
const HARMLESS = /_FILE$|_SECONDS$/
const CREDENTIALS = /:\/\/[^/\s:@]+:[^/\s@]+@/
/** As in `default_pass = x`, `--token=x`, `secretKey: x`; what is taken from the environment, `${X}`, is told nobody. */
const ASSIGNED = /(?:pass|password|secret|secret_?key|token)\s*[=:]\s*["']?[^\s"'$]/i
const hashed = (name: string) => /-[a-z0-9]{10}$/.test(name)

export const settingsChecks: Check[] = [
  {
    n: 24,
    title: 'no secret stands in a manifest: not in the environment, not in a ConfigMap, not as a Secret',
    faults: (objects) => {
      const secret = (name: string) => SENSITIVE.test(name) && !HARMLESS.test(name)
      return [
        ...ofKind(objects, 'Secret').map((one) => `${idOf(one)}: is generated outside of the repository`),
        ...ofKind(objects, 'ConfigMap').flatMap((one) =>
          Object.entries(one.data ?? {})
            .filter(([name, value]) => secret(name) || CREDENTIALS.test(value))
            .map(([name]) => `${idOf(one)}: ${name}`),
        ),
        ...everyContainer(objects).flatMap(({ at, container }) =>
          (container.env ?? [])
            .filter(({ name, value }) => value !== undefined && (secret(name) || CREDENTIALS.test(value)))
            .map(({ name }) => `${at}: ${name}`),
        ),
      ]
    },
    plant: (objects) => {
      podOf(the(objects, 'Deployment', 'proxy')).containers[0]!.env!.push({ name: 'OPS_TOKEN', value: 'x' })
    },
  },
  {
    n: 24,
    title: 'nor does one in what a process is started with, or in a file of settings',
    faults: (objects) => {
      const tells = (text: string) => CREDENTIALS.test(text) || ASSIGNED.test(text)
      return [
        ...ofKind(objects, 'ConfigMap').flatMap((one) =>
          Object.entries(one.data ?? {})
            .filter(([, text]) => tells(text))
            .map(([name]) => `${idOf(one)}: ${name}`),
        ),
        ...everyContainer(objects)
          .filter(({ container: { command = [], args = [] } }) => [...command, ...args].some(tells))
          .map(({ at }) => `${at}: what it is started with`),
      ]
    },
    plant: (objects) => {
      const settings = the(objects, 'ConfigMap', /^rabbitmq-settings/).data!
      settings['20-banyan.conf'] += 'default_pass = guest'
    },
  },
  {
    n: 25,
    title: 'a changed ConfigMap has another name, so its pods are rolled; what is referred to is there',
    faults: (objects) => {
      const maps = ofKind(objects, 'ConfigMap').map((one) => one.metadata.name)
      const used = workloads(objects).flatMap((workload) => configMapsOf(workload).map((name) => ({ workload, name })))
      return [
        ...maps.filter((name) => !hashed(name)).map((name) => `ConfigMap ${name} has no hash`),
        ...used.filter(({ name }) => !maps.includes(name)).map(({ workload, name }) => `${idOf(workload)}: no ${name}`),
        ...maps.filter((name) => !used.some((one) => one.name === name)).map((name) => `ConfigMap ${name}: unused`),
      ]
    },
    plant: (objects) => {
      the(objects, 'ConfigMap', /^proxy-/).metadata.name = 'proxy'
    },
  },
  {
    n: 26,
    title: 'what runs once is a Job that is tried again, ends in time and is cleared away',
    faults: (objects) =>
      ofKind(objects, 'Job')
        .filter(
          ({ spec }) =>
            !(spec.backoffLimit && spec.activeDeadlineSeconds && spec.ttlSecondsAfterFinished) ||
            spec.template.spec.restartPolicy !== 'Never',
        )
        .map(idOf),
    plant: (objects) => {
      delete the(objects, 'Job', 'database-orders').spec.ttlSecondsAfterFinished
    },
  },
  {
    n: 27,
    title: 'everything has the recommended labels, and a workload’s selector is its name',
    faults: (objects) => [
      ...objects
        .filter((one) => one.metadata.labels?.['app.kubernetes.io/part-of'] !== 'banyan')
        .map((one) => `${idOf(one)}: part of nothing`),
      ...workloads(objects).flatMap((workload) => {
        const name = workload.metadata.name
        const labels = podLabels(workload)
        const named = labels['app.kubernetes.io/name'] === name && labels['app.kubernetes.io/component'] !== undefined
        const selector =
          workload.kind === 'Job'
            ? name
            : (workload.spec.selector as Selector | undefined)?.matchLabels?.['app.kubernetes.io/name']
        return named && selector === name ? [] : [idOf(workload)]
      }),
    ],
    plant: (objects) => {
      delete podLabels(the(objects, 'Deployment', 'proxy'))['app.kubernetes.io/component']
    },
  },
  {
    n: 28,
    title: 'the namespace is bounded, with room for every process at its largest and one more of it in a rollout',
    faults: (objects) => {
      const [quota] = ofKind(objects, 'ResourceQuota')
      if (!quota || ofKind(objects, 'LimitRange').length === 0) return ['no bounds']
      const pods = workloads(objects).map((one) => ({ one, count: largest(objects, one) }))
      const sum = (what: 'requests' | 'limits', of: string) =>
        pods.reduce((all, { one, count }) => all + count * podNeeds(one, what, of), 0)
      const storage = pods.reduce(
        (all, { one }) =>
          all +
          (one.spec.volumeClaimTemplates ?? []).reduce(
            (s, claim) => s + quantity(claim.spec.resources.requests?.storage ?? '0'),
            0,
          ),
        0,
      )
      const need: Record<string, number> = {
        pods: pods.reduce((all, { count }) => all + count, 0),
        'requests.cpu': sum('requests', 'cpu'),
        'requests.memory': sum('requests', 'memory'),
        'limits.memory': sum('limits', 'memory'),
        'requests.storage': storage,
      }
      return Object.entries(need)
        .filter(([what, much]) => !(much <= quantity(quota.spec.hard?.[what] ?? '0')))
        .map(([what, much]) => `${what}: ${much} is needed, ${quota.spec.hard?.[what]} is allowed`)
    },
    plant: (objects) => {
      the(objects, 'HorizontalPodAutoscaler', 'proxy').spec.maxReplicas = 60
    },
  },
]

function configMapsOf(workload: Obj): string[] {
  const volumes = (podOf(workload).volumes ?? []).map((one) => (one.configMap as { name?: string } | undefined)?.name)
  const froms = everyContainer([workload]).flatMap(({ container }) =>
    (container.envFrom ?? []).map((one) => one.configMapRef?.name),
  )
  return [...volumes, ...froms].filter((name) => name !== undefined)
}

/** How many pods of it there can be at once. */
export function largest(objects: readonly Obj[], workload: Obj): number {
  if (workload.kind !== 'Deployment') return workload.spec.replicas ?? 1
  const scaler = ofKind(objects, 'HorizontalPodAutoscaler').find(
    (one) => one.spec.scaleTargetRef?.name === workload.metadata.name,
  )
  const scaled = ofKind(objects, 'ScaledObject').find((one) => one.spec.scaleTargetRef?.name === workload.metadata.name)
  const most = scaler?.spec.maxReplicas ?? (scaled?.spec.maxReplicaCount as number | undefined)
  return (most ?? workload.spec.replicas ?? 1) + 1
}

function podNeeds(workload: Obj, what: 'requests' | 'limits', of: string): number {
  const each = (list: Obj['spec']['template']['spec']['containers']) =>
    list.map((one) => quantity(one.resources?.[what]?.[of] ?? '0'))
  const { containers, initContainers = [] } = podOf(workload)
  return Math.max(
    each(containers).reduce((a, b) => a + b, 0),
    ...each(initContainers),
  )
}

/**
 * What a stage asks for with as few pods of each process as its scaler allows.
 * @returns pods, processors, memory and the bound of memory, as docs/operate.md has them
 */
export function smallestSize(objects: readonly Obj[]): string[] {
  const pods = servers(objects).map((one) => {
    const scaler = ofKind(objects, 'HorizontalPodAutoscaler').find(
      ({ spec }) => spec.scaleTargetRef?.name === one.metadata.name,
    )
    return { one, count: Number(scaler?.spec.minReplicas ?? one.spec.replicas ?? 1) }
  })
  const sum = (what: 'requests' | 'limits', of: string) =>
    pods.reduce((all, { one, count }) => all + count * podNeeds(one, what, of), 0)
  const mebibytes = (bytes: number) => `${bytes / 2 ** 20} MiB`
  return [
    String(pods.reduce((all, { count }) => all + count, 0)),
    sum('requests', 'cpu').toFixed(2),
    mebibytes(sum('requests', 'memory')),
    mebibytes(sum('limits', 'memory')),
  ]
}
