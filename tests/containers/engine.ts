/** Before the first test with containers: an engine that answers. */
import { spawnSync } from 'node:child_process'
import { dockerAnswers } from '../../compose/embedded/container.ts'

export function setup(): void {
  const { BANYAN_CONTAINERS_UP: script } = process.env
  if (!dockerAnswers() && script) spawnSync(script, { stdio: ['ignore', 'inherit', 'inherit'] })
  if (!dockerAnswers())
    throw new Error('no container engine answers: start one, or name a script that does in BANYAN_CONTAINERS_UP')
}
