// Builds the images:  npm run images -- [--release x.y [--latest]] [--network host] [--push <registry>] [workspace ...]
// One after the other, since they share most of their layers. The tags are said at the end; BANYAN_TAG takes one.
// With --push they go to a registry, for both architectures, each with what is in it and how it came to be.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { buildArguments } from './build-arguments.ts'
import { revisionOf } from './revision.ts'
import { imagesOf, tagsOf } from './tags.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    release: { type: 'string' },
    latest: { type: 'boolean' },
    network: { type: 'string' },
    push: { type: 'string' },
  },
})
const images = imagesOf(ROOT)
const wanted = positionals.length > 0 ? positionals : [...images.keys()]
const unknown = wanted.filter((workspace) => !images.has(workspace))
if (unknown.length > 0)
  throw new Error(`no image is made of ${unknown.join(', ')}; of ${[...images.keys()].join(', ')}`)

const revision = revisionOf(ROOT)
const tags = tagsOf({ ...values, revision })
for (const workspace of wanted) {
  const { status } = spawnSync(
    'docker',
    buildArguments({
      workspace,
      names: tags.map((tag) => `${images.get(workspace)}:${tag}`),
      revision,
      version: values.release ?? 'development',
      network: values.network,
      secrets: secrets(),
      registry: values.push,
      context: ROOT,
    }),
    { stdio: 'inherit', env: { ...process.env, DOCKER_BUILDKIT: '1' } },
  )
  if (status !== 0) throw new Error(`docker build of ${workspace} ended with ${status}`)
}
console.log(`images: ${wanted.map((workspace) => images.get(workspace)).join(', ')}; tags: ${tags.join(', ')}`)

/** How npm reaches its registry from here, it reaches it from within the build: mounted, in no layer. */
function secrets(): [id: string, file: string][] {
  const files = { npmrc: join(homedir(), '.npmrc'), ca: process.env.NODE_EXTRA_CA_CERTS ?? '' }
  return Object.entries(files).filter(([, file]) => file !== '' && existsSync(file))
}
