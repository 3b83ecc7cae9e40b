/** Which packages the lock file gives a workspace for running. */

type Locked = {
  version?: string
  /** Where a workspace lies that this is a link to. */
  resolved?: string
  link?: boolean
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
}
export type LockFile = { packages: Record<string, Locked> }

/**
 * What `npm ci --omit=dev --workspace <workspace>` installs of others, with all that it needs itself. Optional packages
 * of every platform count.
 * @returns `folder@version` of each, sorted
 * @throws where the lock file does not know the workspace
 */
export function lockedFor({ packages }: LockFile, workspace: string): string[] {
  if (!packages[workspace]) throw new Error(`package-lock.json knows no workspace ${workspace}`)
  const reached = new Set([workspace])
  for (const at of reached) for (const found of neededBy(packages, at)) reached.add(found)
  return [...reached]
    .filter((at) => at.includes('node_modules/'))
    .map((at) => `${at}@${packages[at]?.version}`)
    .sort()
}

function neededBy(packages: LockFile['packages'], at: string): string[] {
  const { dependencies, optionalDependencies, peerDependencies } = packages[at] ?? {}
  const names = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })
  // A peer or a package of another platform may be absent; whatever else were, npm ci would refuse.
  return names.flatMap((name) => locate(packages, at, name) ?? [])
}

/** Where Node would find it: in the nearest node_modules above. A link is followed to the workspace. */
function locate(packages: LockFile['packages'], from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')))) {
    const at = join(folder, name)
    if (packages[at]) return packages[at].link ? packages[at].resolved : at
    if (folder === '') return undefined
  }
}

function join(folder: string, name: string): string {
  return folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`
}
