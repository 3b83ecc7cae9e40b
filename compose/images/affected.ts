/** Which images a change is about. */
import { closures, goesIntoImages, partOf } from './closure.ts'
import { type LockFile, lockedFor } from './locked.ts'

/** Files that go into every image, or say how it is made. Of the root's manifest only what the lock file repeats matters. */
const SHARED = ['Dockerfile', '.dockerignore', '.npmrc', 'compose/images/healthy.mjs']

/** Sources and lock file after a change, what it touched, and the lock file before it. */
export type Change = {
  /** Paths of changed, new and removed files, from the root. */
  files: readonly string[]
  sources: ReadonlyMap<string, string>
  lock: LockFile
  lockBefore: LockFile
}

/**
 * Those whose process runs something that has changed: of its own workspace, of what it imports, or of the packages that
 * are installed with it. Tests are in no image.
 * @param workspaces folders that images are made of
 * @returns those of them to be built anew
 */
export function affectedBy(change: Change, workspaces: readonly string[]): string[] {
  const { files, sources, lock, lockBefore } = change
  const touched = files.filter(goesIntoImages)
  if (touched.some((file) => SHARED.includes(file))) return [...workspaces]
  const parts = new Set(touched.map(partOf))
  const closureOf = closures(sources)
  return workspaces.filter(
    (workspace) =>
      closureOf(workspace).some((part) => parts.has(part)) ||
      !lockBefore.packages[workspace] ||
      lockedFor(lock, workspace).join() !== lockedFor(lockBefore, workspace).join(),
  )
}
