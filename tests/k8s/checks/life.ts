/** How a process begins and ends. */
import { type Check, the } from '../support/check.ts'
import { DRAIN_S } from '../support/drain.ts'
import { type Container, idOf, ofKind, type Probe, podOf, servers } from '../support/objects.ts'

/** The mover listens nowhere: there is nothing to probe. One that ends is started again, one that hangs loses its lead. */
const WITHOUT_LISTENER = ['mover']

const probesOf = (container: Container): Probe[] =>
  [container.startupProbe, container.readinessProbe, container.livenessProbe].filter((one) => one !== undefined)
const portsOf = (probe: Probe) => [probe.httpGet?.port, probe.tcpSocket?.port].filter((one) => one !== undefined)

export const lifeChecks: Check[] = [
  {
    n: 12,
    title: 'each server has three probes; ready is not the same question as live, and neither asks a neighbour',
    faults: (objects) =>
      servers(objects)
        .filter((one) => !WITHOUT_LISTENER.includes(one.metadata.name))
        .flatMap((server) =>
          podOf(server).containers.flatMap(({ startupProbe, readinessProbe, livenessProbe }) => {
            const missing = !startupProbe || !readinessProbe || !livenessProbe
            const question = (probe?: Probe) => JSON.stringify([probe?.httpGet, probe?.tcpSocket, probe?.exec])
            const elsewhere = [readinessProbe, livenessProbe].some((one) => one?.httpGet?.host ?? one?.tcpSocket?.host)
            const same = question(readinessProbe) === question(livenessProbe)
            return missing || same || elsewhere ? [idOf(server)] : []
          }),
        ),
    plant: (objects) => {
      const container = podOf(the(objects, 'Deployment', 'order-service')).containers[0]!
      container.readinessProbe = container.livenessProbe!
    },
  },
  {
    n: 13,
    title: 'probes ask named ports that the container declares',
    faults: (objects) =>
      servers(objects).flatMap((server) =>
        podOf(server).containers.flatMap((container) => [
          ...(container.ports ?? []).filter(({ name }) => !name).map(() => `${idOf(server)}: a port without a name`),
          ...probesOf(container)
            .flatMap(portsOf)
            .filter((port) => !container.ports?.some(({ name }) => name === port))
            .map((port) => `${idOf(server)}: probes ${port}`),
        ]),
      ),
    plant: (objects) => {
      podOf(the(objects, 'Deployment', 'proxy')).containers[0]!.livenessProbe!.httpGet!.port = 'health'
    },
  },
  {
    n: 14,
    title: 'a process waits before it stops, by Kubernetes’ own sleep, until its Services have let go of it',
    faults: (objects) =>
      ofKind(objects, 'Deployment').flatMap((one) =>
        podOf(one)
          .containers.filter(({ lifecycle }) => !((lifecycle?.preStop?.sleep?.seconds ?? 0) >= 5))
          .map(() => idOf(one)),
      ),
    plant: (objects) => {
      podOf(the(objects, 'Deployment', 'proxy')).containers[0]!.lifecycle = {}
    },
  },
  {
    n: 15,
    title: 'the grace of a pod is longer than waiting, draining and closing together',
    faults: (objects) =>
      ofKind(objects, 'Deployment')
        .filter((one) => {
          const wait = podOf(one).containers[0]?.lifecycle?.preStop?.sleep?.seconds ?? 0
          return !((podOf(one).terminationGracePeriodSeconds ?? 0) > wait + DRAIN_S)
        })
        .map(idOf),
    plant: (objects) => {
      podOf(the(objects, 'Deployment', 'proxy')).terminationGracePeriodSeconds = 20
    },
  },
  {
    n: 16,
    title: 'a rollout starts one more before it takes one away, and looks at it for a moment',
    faults: (objects) =>
      ofKind(objects, 'Deployment')
        .filter(({ spec: { strategy, minReadySeconds = 0 } }) => {
          const { maxUnavailable, maxSurge } = strategy?.rollingUpdate ?? {}
          return strategy?.type !== 'RollingUpdate' || maxUnavailable !== 0 || !maxSurge || minReadySeconds < 1
        })
        .map(idOf),
    plant: (objects) => {
      the(objects, 'Deployment', 'proxy').spec.strategy!.rollingUpdate!.maxUnavailable = 1
    },
  },
]
