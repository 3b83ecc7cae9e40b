/** The Secrets that k8s/ refers to. */
import { newSecrets } from '../provision/secrets.ts'

export type Secret = {
  apiVersion: 'v1'
  kind: 'Secret'
  metadata: { name: string; namespace: string }
  type: string
  stringData: Record<string, string>
}

const NAMESPACE = 'banyan'

/** All of them, every value new. */
export async function kubernetesSecrets(): Promise<Secret[]> {
  const secrets = await newSecrets({ postgres: 'postgres.banyan.svc', rabbitmq: 'rabbitmq.banyan.svc' })
  return Object.entries(secrets).map(([name, stringData]) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: NAMESPACE },
    type: 'username' in stringData ? 'kubernetes.io/basic-auth' : 'Opaque',
    stringData,
  }))
}
