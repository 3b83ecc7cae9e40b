/** What the sources in a folder are called. */
import { spawnSync } from 'node:child_process'

/**
 * @returns the commit, short, with `-dirty` behind it where files differ from it
 * @throws where git knows no commit
 */
export function revisionOf(root: string): string {
  return git(root, 'rev-parse', '--short', 'HEAD') + (git(root, 'status', '--porcelain') ? '-dirty' : '')
}

function git(root: string, ...args: string[]): string {
  const { stdout, status } = spawnSync('git', args, { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new Error(`git ${args[0]} ended with ${status}: an image is called after its commit`)
  return stdout.trim()
}
