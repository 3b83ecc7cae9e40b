/** Which tags the images of a release get: the step of images.yaml that says it, in a repository with tags. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadWorkflows } from './support/load.ts'

const images = loadWorkflows().find(({ file }) => file === 'images.yaml')
const step = images?.jobs.push?.steps.find(({ run }) => run?.includes('--push'))?.run ?? ''
const folder = mkdtempSync(join(tmpdir(), 'banyan-tags-'))
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@shop.example', ...args], { cwd: folder })

beforeAll(() => {
  git('init', '--quiet')
  git('commit', '--quiet', '--allow-empty', '--message', 'nothing')
  for (const tag of ['v0.9', 'v0.10', 'v0.10-rc1', 'v0.11.1', 'vendored']) git('tag', tag)
  // In the place of the script that builds: says what it is asked for.
  writeFileSync(join(folder, 'node'), '#!/bin/sh\necho "$@"\n', { mode: 0o755 })
})
afterAll(() => rmSync(folder, { recursive: true }))

/** @returns what the script that builds is asked for, for a tag that was pushed */
function asked(pushed: string): string {
  const env = {
    PATH: `${folder}:${process.env.PATH}`,
    GITHUB_REF_NAME: pushed,
    GITHUB_REPOSITORY_OWNER: 'Somebody',
    WORKSPACE: 'monolith',
  }
  return execFileSync('bash', ['-e', '-c', step], {
    cwd: folder,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim()
}

test('the newest release is the latest, whatever else is tagged', () => {
  expect(asked('v0.10')).toBe('compose/images/main.ts --release 0.10 --latest --push ghcr.io/somebody monolith')
})

test('one that is mended later than a newer one came out is not', () => {
  expect(asked('v0.9')).toBe('compose/images/main.ts --release 0.9 --push ghcr.io/somebody monolith')
})
