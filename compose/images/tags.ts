/** Which images there are and how they are called. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** What a build is of. */
export type Build = {
  /** The commit, short, with `-dirty` behind it where files differ from it. */
  revision: string
  /** Given for a release: `0.1`. */
  release?: string | undefined
  /** Whether that release is the newest stable one. */
  latest?: boolean | undefined
}

/**
 * In development an image is called after its commit; a release adds `release-x.y`, and the newest stable one `latest`.
 * @throws for what cannot be told apart afterwards: a release of files that no commit has
 */
export function tagsOf({ revision, release, latest = false }: Build): string[] {
  if (release === undefined) {
    if (latest) throw new Error('latest is the newest release: say which, with --release x.y')
    return [revision]
  }
  if (!/^\d+\.\d+$/.test(release)) throw new Error(`a release is called x.y, not ${release}`)
  if (revision.endsWith('-dirty')) throw new Error('a release is of a commit: these files differ from theirs')
  return [revision, `release-${release}`, ...(latest ? ['latest'] : [])]
}

/** Folder of a workspace with a process in it → name of its image. */
export function imagesOf(root: string): Map<string, string> {
  const services = readdirSync(join(root, 'extracted')).filter((name) => name.endsWith('-service'))
  const folders = [
    'monolith',
    'strangler-proxy',
    'migrations',
    'compose',
    ...services.map((name) => `extracted/${name}`),
  ]
  return new Map(folders.map((folder) => [folder, `banyan/${folder.split('/').at(-1)}`]))
}
