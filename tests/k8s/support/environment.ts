/** What a container finds in its environment, with the Secrets that `npm run k8s:secrets` would make. */
import type { Secret } from '../../../compose/kubernetes/secrets.ts'
import { type Container, type Obj, ofKind } from './objects.ts'

/** @throws for a Secret or ConfigMap that is not there: the pod would not start */
export function environmentOf(
  container: Container,
  objects: readonly Obj[],
  secrets: readonly Secret[],
): Record<string, string> {
  const env: Record<string, string> = {}
  for (const { configMapRef, secretRef } of container.envFrom ?? []) {
    const wanted = configMapRef?.name ?? secretRef?.name
    const found = configMapRef
      ? ofKind(objects, 'ConfigMap').find((one) => one.metadata.name === wanted)?.data
      : secrets.find((one) => one.metadata.name === wanted)?.stringData
    if (!found) throw new Error(`${container.name} refers to ${wanted}, which is not there`)
    Object.assign(env, found)
  }
  const direct: Record<string, string> = {}
  for (const { name, value, valueFrom } of container.env ?? []) {
    if (valueFrom !== undefined && !('fieldRef' in valueFrom)) throw new Error(`${name} comes from elsewhere`)
    // Kubernetes puts in only what stands before it in this list.
    const filled = (value ?? '10.0.0.1').replaceAll(
      /\$\(([A-Z_]+)\)/g,
      (whole, known: string) => direct[known] ?? whole,
    )
    direct[name] = filled
  }
  return { ...env, ...direct }
}

/** Set for Node itself, or only to be put into other values. */
export const NOT_SETTINGS = ['NODE_OPTIONS', 'POD_IP']
