/** What a pod may do, and what it takes. */
import type { Check } from '../support/check.ts'
import { the } from '../support/check.ts'
import { containersOf, everyContainer, idOf, ofKind, podOf, quantity, workloads } from '../support/objects.ts'

const release = /^(release-\d+\.\d+|[0-9a-f]{7,40})$/
/** Servers of others: a digest cannot be looked up where no registry answers, so the major version is pinned. */
const others =
  /^(postgres:17|rabbitmq:4-management|unleashorg\/unleash-server:8|(otel\/opentelemetry-collector-contrib|grafana\/(grafana|loki|tempo)|prom\/prometheus):v?\d+\.\d+\.\d+)$/

export const podChecks: Check[] = [
  {
    n: 5,
    title: 'pods run as a numeric user that is not root, under the runtime’s seccomp profile',
    faults: (objects) =>
      workloads(objects).flatMap((workload) => {
        const { runAsNonRoot, runAsUser, runAsGroup, seccompProfile } = podOf(workload).securityContext ?? {}
        const right = runAsNonRoot === true && runAsUser && runAsGroup && seccompProfile?.type === 'RuntimeDefault'
        return right ? [] : [idOf(workload)]
      }),
    plant: (objects) => {
      podOf(the(objects, 'Job', /database/)).securityContext!.runAsUser = 0
    },
  },
  {
    n: 5,
    title: 'no container is another user than its pod, or under another profile',
    faults: (objects) =>
      everyContainer(objects).flatMap(({ at, container: { securityContext = {} } }) =>
        ['runAsUser', 'runAsGroup', 'runAsNonRoot', 'seccompProfile', 'procMount', 'privileged']
          .filter((key) => key in securityContext)
          .map((key) => `${at}: ${key} of its own`),
      ),
    plant: (objects) => {
      podOf(the(objects, 'Deployment', 'proxy')).containers[0]!.securityContext!.runAsUser = 0
    },
  },
  {
    n: 6,
    title: 'containers, those that run first too, gain no privileges, keep no capability and write only to volumes',
    faults: (objects) => [
      ...everyContainer(objects).flatMap(({ at, container: { securityContext: given = {}, volumeMounts = [] } }) => [
        ...(given.allowPrivilegeEscalation === false ? [] : [`${at}: may escalate`]),
        ...(given.readOnlyRootFilesystem === true ? [] : [`${at}: root file system is writable`]),
        ...(given.capabilities?.drop?.includes('ALL') && !given.capabilities.add ? [] : [`${at}: keeps capabilities`]),
        ...(volumeMounts.some(({ mountPath }) => mountPath === '/tmp') ? [] : [`${at}: has no /tmp`]),
      ]),
      ...workloads(objects).flatMap((workload) =>
        (podOf(workload).volumes ?? [])
          .filter((volume) => volume.emptyDir !== undefined && !volume.emptyDir.sizeLimit)
          .map((volume) => `${idOf(workload)}: emptyDir ${volume.name} has no bound`),
      ),
    ],
    plant: (objects) => {
      podOf(the(objects, 'Job', /database-orders/)).initContainers![0]!.securityContext!.readOnlyRootFilesystem = false
    },
  },
  {
    n: 7,
    title: 'nothing is privileged or reaches for its node',
    faults: (objects) =>
      workloads(objects).flatMap((workload) => {
        const pod = podOf(workload)
        return [
          ...['hostNetwork', 'hostPID', 'hostIPC'].filter((key) => pod[key]).map((key) => `${idOf(workload)}: ${key}`),
          ...(pod.volumes ?? []).filter((one) => one.hostPath).map((one) => `${idOf(workload)}: hostPath ${one.name}`),
          ...containersOf(workload)
            .filter((one) => one.securityContext?.privileged || one.ports?.some((port) => port.hostPort !== undefined))
            .map((one) => `${idOf(workload)}/${one.name}: privileged or on a port of its node`),
        ]
      }),
    plant: (objects) => {
      podOf(the(objects, 'Deployment', 'proxy')).volumes = [{ name: 'docker', hostPath: { path: '/var/run' } }]
    },
  },
  {
    n: 8,
    title: 'each has a service account of its own, without a token',
    faults: (objects) => {
      const accounts = ofKind(objects, 'ServiceAccount')
      return [
        ...accounts.filter((one) => one.automountServiceAccountToken !== false).map(idOf),
        ...workloads(objects).flatMap((workload) => {
          const { serviceAccountName, automountServiceAccountToken } = podOf(workload)
          const known = accounts.some((one) => one.metadata.name === serviceAccountName)
          const own = serviceAccountName === workload.metadata.name
          return known && own && automountServiceAccountToken === false ? [] : [idOf(workload)]
        }),
      ]
    },
    plant: (objects) => {
      podOf(the(objects, 'Deployment', 'proxy')).serviceAccountName = 'order-service'
    },
  },
  {
    n: 8,
    title: 'nor is a token mounted by name',
    faults: (objects) =>
      workloads(objects)
        .filter((workload) => JSON.stringify(podOf(workload).volumes ?? []).includes('"serviceAccountToken"'))
        .map(idOf),
    plant: (objects) => {
      const token = { name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }
      podOf(the(objects, 'Deployment', 'proxy')).volumes!.push(token)
    },
  },
  {
    n: 9,
    title: 'each container asks for processor time and memory, and is bounded in memory and storage',
    faults: (objects) =>
      everyContainer(objects).flatMap(({ at, container: { resources: { requests = {}, limits = {} } = {} } }) => [
        ...['cpu', 'memory', 'ephemeral-storage']
          .filter((what) => !requests[what])
          .map((what) => `${at}: asks no ${what}`),
        ...['memory', 'ephemeral-storage'].filter((what) => !limits[what]).map((what) => `${at}: no bound of ${what}`),
      ]),
    plant: (objects) => {
      delete podOf(the(objects, 'StatefulSet', 'smtp-sink')).containers[0]!.resources!.limits!.memory
    },
  },
  {
    n: 10,
    title: 'Node’s heap is bounded below the container’s memory',
    faults: (objects) =>
      everyContainer(objects)
        .filter(({ container }) => /^(banyan|unleashorg)\//.test(container.image))
        .flatMap(({ at, container }) => {
          const options = container.env?.find(({ name }) => name === 'NODE_OPTIONS')?.value ?? ''
          const heap = Number(/--max-old-space-size=(\d+)/.exec(options)?.[1]) * 2 ** 20
          const memory = quantity(container.resources?.limits?.memory ?? '0')
          return heap <= 0.7 * memory ? [] : [`${at}: a heap of ${heap} in ${memory}`]
        }),
    plant: (objects) => {
      podOf(the(objects, 'Deployment', 'proxy')).containers[0]!.resources!.limits!.memory = '192Mi'
    },
  },
  {
    n: 11,
    title: 'images carry a release or a revision, never latest and never nothing',
    faults: (objects) =>
      everyContainer(objects)
        .filter(({ container: { image } }) => {
          const own = /^banyan\/[a-z-]+:(.+)$/.exec(image)?.[1]
          return own === undefined ? !others.test(image) : !release.test(own)
        })
        .map(({ at, container }) => `${at}: ${container.image}`),
    plant: (objects) => {
      podOf(the(objects, 'Deployment', 'proxy')).containers[0]!.image = 'banyan/strangler-proxy:latest'
    },
  },
]
