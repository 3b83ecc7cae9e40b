/** The workflows of .github/, as GitHub reads them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse } from 'yaml'

export const ROOT = resolve(import.meta.dirname, '../../..')
const FOLDER = join(ROOT, '.github/workflows')

export type Step = {
  name?: string
  uses?: string
  with?: Record<string, unknown>
  run?: string
  env?: Record<string, unknown>
  if?: string
}
export type Job = {
  needs?: string | string[]
  if?: string
  'runs-on'?: string
  'timeout-minutes'?: number
  permissions?: Record<string, string>
  steps: Step[]
}
export type Workflow = {
  /** The file, `images.yaml`. */
  file: string
  /** As written, with the comments beside each action. */
  text: string
  on: Record<string, unknown>
  permissions?: Record<string, string>
  concurrency?: object
  jobs: Record<string, Job>
}

export function loadWorkflows(): Workflow[] {
  return readdirSync(FOLDER).map((file) => {
    const text = readFileSync(join(FOLDER, file), 'utf8')
    return { file, text, ...parse(text) }
  })
}

export function stepsOf({ jobs }: Workflow): Step[] {
  return Object.values(jobs).flatMap(({ steps }) => steps)
}
