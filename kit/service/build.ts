/** What exactly runs: two processes of one build run the same sources. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const SOURCE = /\.(ts|js|mjs|cjs|sql|json|yaml|yml)$/
const NOT_RUN = /\.test\.ts$/
const LEFT_OUT = new Set(['node_modules', 'testing'])

/**
 * Names the build of a process: its package's name and version, and a hash over its sources and the kit's. What the
 * lock file pins is not in it; a pipeline that rebuilds images with other packages says its own name (`BUILD`).
 * @param folder any folder of the process's package, such as that of its main.ts
 * @throws Error when no package.json stands above it
 */
export function buildOf(folder: string): string {
  const own = packageOf(folder)
  const { name, version } = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8'))
  const hash = createHash('sha256')
  for (const root of new Set([own, packageOf(import.meta.dirname)]))
    for (const file of sourcesOf(root))
      hash
        .update(`${file}\n`)
        .update(readFileSync(join(root, file)))
        .update('\n')
  return `${name}@${version}+${hash.digest('hex').slice(0, 12)}`
}

function packageOf(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder
  if (dirname(folder) === folder) throw new Error('no package.json stands above the process; say its build by BUILD')
  return packageOf(dirname(folder))
}

/** Relative, in an order that no file system decides. */
function sourcesOf(root: string, within = ''): string[] {
  return readdirSync(join(root, within), { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(within, entry.name)
      if (entry.isDirectory()) return LEFT_OUT.has(entry.name) ? [] : sourcesOf(root, path)
      return SOURCE.test(entry.name) && !NOT_RUN.test(entry.name) ? [path] : []
    })
    .sort()
}
