/** What operators make of their resources, as far as policies and bounds have to know it. */
import type { Labels, Obj, Resources } from './objects.ts'

type Made = { replicas: number; storage: string; ports: number[]; labels: Labels; resources: Resources }

function madeOf(object: Obj): Made | undefined {
  const { name } = object.metadata
  if (object.kind === 'Cluster') {
    const { instances, storage, resources, inheritedMetadata } = object.spec as never as {
      instances: number
      storage: { size: string }
      resources: Resources
      inheritedMetadata: { labels: Labels }
    }
    // PostgreSQL, the operator's questions, metrics.
    const ports = [5432, 8000, 9187]
    return { replicas: instances, storage: storage.size, ports, labels: inheritedMetadata.labels, resources }
  }
  if (object.kind === 'RabbitmqCluster') {
    const { replicas, persistence, resources } = object.spec as never as {
      replicas: number
      persistence: { storage: string }
      resources: Resources
    }
    const ports = [4369, 5672, 15672, 15692, 25672]
    const labels = { 'app.kubernetes.io/name': name }
    return { replicas, storage: persistence.storage, ports, labels, resources }
  }
  return undefined
}

/** @returns the objects, with the StatefulSets that operators would make: only for checks of networks and bounds. */
export function withOperators(objects: readonly Obj[]): Obj[] {
  const made = objects.flatMap((object) => {
    const of = madeOf(object)
    if (of === undefined) return []
    const container = {
      name: object.metadata.name,
      image: 'made by an operator',
      ports: of.ports.map((containerPort) => ({ containerPort })),
      resources: of.resources,
    }
    const claims = Array.from({ length: of.replicas }, () => ({
      spec: { resources: { requests: { storage: of.storage } } },
    }))
    const stand: Obj = {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { ...object.metadata, name: object.metadata.name },
      spec: {
        replicas: of.replicas,
        template: { metadata: { labels: of.labels }, spec: { containers: [container] } },
        volumeClaimTemplates: claims,
      },
    }
    return [stand]
  })
  return [...objects, ...made]
}
