/** Before the first test with the stages as containers: their secrets, and the images of these sources. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { revisionOf } from '../../compose/images/revision.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export function setup(): void {
  const { BANYAN_BUILD_NETWORK: network } = process.env
  run('compose/containers/main.ts')
  process.env.TEST_IMAGE_TAG = revisionOf(ROOT)
  run('compose/images/main.ts', ...(network ? ['--network', network] : []))
}

function run(...args: string[]): void {
  const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}`)
}
