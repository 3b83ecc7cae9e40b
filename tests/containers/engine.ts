/** Before the first test with containers: an engine that answers, and the images of these sources. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { revisionOf } from '../../compose/images/revision.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const answers = () => spawnSync('docker', ['info'], { stdio: 'ignore', timeout: 20_000 }).status === 0

export function setup(): void {
  const { BANYAN_CONTAINERS_UP: script, BANYAN_BUILD_NETWORK: network } = process.env
  if (!answers() && script) run(script)
  if (!answers())
    throw new Error('no container engine answers: start one, or name a script that does in BANYAN_CONTAINERS_UP')
  run(process.execPath, 'compose/containers/main.ts')
  process.env.TEST_IMAGE_TAG = revisionOf(ROOT)
  run(process.execPath, 'compose/images/main.ts', ...(network ? ['--network', network] : []))
}

function run(command: string, ...args: string[]): void {
  const { status } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) throw new Error(`${[command, ...args].join(' ')} ended with ${status}`)
}
