/** How many there are, and what may be taken away at once. */
import { type Check, the } from '../support/check.ts'
import { idOf, type Obj, ofKind, podLabels, podOf, selects, servers } from '../support/objects.ts'
import { withOperators } from '../support/operators.ts'

const scalersOf = (objects: readonly Obj[], deployment: Obj) =>
  ofKind(objects, 'HorizontalPodAutoscaler', 'ScaledObject').filter(
    ({ spec }) => spec.scaleTargetRef?.name === deployment.metadata.name,
  )
const budgetsOf = (objects: readonly Obj[], server: Obj) =>
  ofKind(objects, 'PodDisruptionBudget').filter(({ spec }) => selects(spec.selector, podLabels(server)))

export const scalingChecks: Check[] = [
  {
    n: 17,
    title: 'there are at least two of each process, and nobody but its scaler says how many',
    faults: (objects) =>
      ofKind(objects, 'Deployment').flatMap((one) => {
        const scalers = scalersOf(objects, one)
        if (scalers.length > 1) return [`${idOf(one)}: ${scalers.length} scalers`]
        if (scalers.length === 1) return one.spec.replicas === undefined ? [] : [`${idOf(one)}: replicas and a scaler`]
        return (one.spec.replicas ?? 1) >= 2 ? [] : [`${idOf(one)}: one alone`]
      }),
    plant: (objects) => {
      the(objects, 'Deployment', 'proxy').spec.replicas = 2
    },
  },
  {
    n: 18,
    title: 'scalers are of autoscaling/v2, find their target, keep two and shrink slowly',
    faults: (objects) =>
      ofKind(objects, 'HorizontalPodAutoscaler')
        .filter(({ apiVersion, spec }) => {
          const target = ofKind(objects, 'Deployment').some((one) => one.metadata.name === spec.scaleTargetRef?.name)
          const slow = (spec.behavior?.scaleDown?.stabilizationWindowSeconds ?? 0) >= 60
          return apiVersion !== 'autoscaling/v2' || !target || !((spec.minReplicas ?? 1) >= 2) || !slow
        })
        .map(idOf),
    plant: (objects) => {
      the(objects, 'HorizontalPodAutoscaler', 'proxy').spec.scaleTargetRef!.name = 'nobody'
    },
  },
  {
    n: 18,
    title: 'scalers look at processor time and at memory',
    faults: (objects) =>
      ofKind(objects, 'HorizontalPodAutoscaler')
        .filter(({ spec }) => {
          const metrics = (spec.metrics ?? []) as { resource?: { name: string } }[]
          const names = metrics.map(({ resource }) => resource?.name)
          return !['cpu', 'memory'].every((name) => names.includes(name))
        })
        .map(idOf),
    plant: (objects) => {
      ;(the(objects, 'HorizontalPodAutoscaler', 'proxy').spec.metrics as unknown[]).pop()
    },
  },
  {
    n: 19,
    title: 'each process that there are several of may lose one at a time; what there is one of has no budget',
    faults: (objects) => [
      ...servers(objects).flatMap((server) => {
        const budgets = budgetsOf(objects, server)
        if (server.kind === 'StatefulSet')
          return budgets.length === 0 ? [] : [`${idOf(server)}: could never be drained`]
        const [budget] = budgets
        const right = budgets.length === 1 && budget?.spec.maxUnavailable === 1 && !('minAvailable' in budget.spec)
        return right && budget.spec.unhealthyPodEvictionPolicy === 'AlwaysAllow' ? [] : [idOf(server)]
      }),
      ...ofKind(objects, 'PodDisruptionBudget')
        .filter(
          (budget) => !servers(withOperators(objects)).some((one) => selects(budget.spec.selector, podLabels(one))),
        )
        .map((budget) => `${idOf(budget)}: of nobody`),
    ],
    plant: (objects) => {
      the(objects, 'PodDisruptionBudget', 'proxy').spec.selector = { matchLabels: { a: 'b' } }
    },
  },
  {
    n: 20,
    title: 'the pods of a process spread over nodes and zones, by a selector that is theirs',
    faults: (objects) =>
      ofKind(objects, 'Deployment')
        .filter((one) => {
          const spread = podOf(one).topologySpreadConstraints ?? []
          const own = spread.filter(
            ({ labelSelector }) =>
              selects(labelSelector, podLabels(one)) && Object.keys(labelSelector.matchLabels ?? {}).length > 0,
          )
          const keys = own.map(({ topologyKey }) => topologyKey)
          return !['kubernetes.io/hostname', 'topology.kubernetes.io/zone'].every((key) => keys.includes(key))
        })
        .map(idOf),
    plant: (objects) => {
      podOf(the(objects, 'Deployment', 'proxy')).topologySpreadConstraints![0]!.labelSelector = {}
    },
  },
]
