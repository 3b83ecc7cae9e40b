// Prints the namespace and new Secrets for k8s/, to be piped into `kubectl apply -f -`. Nothing is written to a file.
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { kubernetesSecrets } from './secrets.ts'

const namespace = parse(readFileSync(new URL('../../k8s/base/namespace/namespace.yaml', import.meta.url), 'utf8'))
if (process.stdout.isTTY) {
  console.error('These would be secrets on your screen: pipe them into `kubectl apply -f -`.')
  process.exitCode = 2
} else
  console.log(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [namespace, ...(await kubernetesSecrets())] }))
