import { type Obj, ofKind } from '../../k8s/support/objects.ts'

const KINDS: Readonly<Record<string, string>> = {
  deploy: 'Deployment',
  hpa: 'HorizontalPodAutoscaler',
  pdb: 'PodDisruptionBudget',
  svc: 'Service',
  job: 'Job',
  sa: 'ServiceAccount',
  cm: 'ConfigMap',
}

/** Kind and name, which is what an object is known by. */
export const idOf = ({ kind, metadata }: Obj): string => `${kind} ${metadata.name}`

/**
 * What commands take away from a cluster, by a list of kinds with names as their label says, and policies one by one.
 * @param commands with one `kubectl delete` of each
 * @param objects of the cluster
 * @returns the id of each, sorted
 */
export function takenAway(commands: string, objects: readonly Obj[]): string[] {
  const [, list = '', values = ''] = /delete (\S+) -l 'app\.kubernetes\.io\/name in \(([^)]*)\)'/.exec(commands) ?? []
  const byLabel = objects.filter(
    (one) =>
      list.split(',').some((short) => KINDS[short] === one.kind) &&
      values.split(',').includes(one.metadata.labels?.['app.kubernetes.io/name'] ?? ''),
  )
  const [, policies = ''] = /delete netpol ([^\n]*)/.exec(commands) ?? []
  const byName = ofKind([...objects], 'NetworkPolicy').filter(({ metadata }) =>
    policies.split(' ').includes(metadata.name),
  )
  return [...byLabel, ...byName].map(idOf).sort()
}
