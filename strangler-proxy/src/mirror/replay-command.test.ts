import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { replayCommand } from './replay-command.ts'
import type { Sample } from './sample.ts'

const sample: Sample = {
  ...{
    at: '',
    context: 'goods',
    route: 'GET /api/goods',
    method: 'GET',
    url: '/api/goods',
    headers: {},
    signedIn: false,
  },
  ...{ owner: 'monolith', answers: { owner: null, other: null }, differences: [] },
}
/** The words that a shell makes of the command, instead of running it. */
const wordsOf = (command: string | null) =>
  execFileSync('sh', ['-c', `curl() { printf '%s\\n' "$@"; }; ${command}`], {
    env: { OPS_TOKEN: 'of ops', TOKEN: 'of "somebody"' },
    encoding: 'utf8',
  }).split('\n')

it.each([
  `/api/goods?q='; echo opened; '`,
  '/api/goods?q=$(echo opened)`echo opened`',
  `/api/goods?q='"'$(echo opened)'"'`,
  '/api/goods?q=\\',
])('is one word to the shell, whatever a client asked: %s', (url) => {
  for (const signedIn of [false, true]) {
    const words = wordsOf(replayCommand('http://127.0.0.1:8081', { ...sample, url, signedIn }))
    expect(words.slice(0, 8)).toEqual([
      ...['-sS', '--fail-with-body', 'http://127.0.0.1:8081/mirror/replay'],
      ...['-H', 'Authorization: Bearer of ops', '-H', 'Content-Type: application/json', '--data-binary'],
    ])
    expect(words[8]).toContain(JSON.stringify({ method: 'GET', url }).slice(0, -1))
    expect(words).not.toContain('opened')
    expect(words).toHaveLength(10)
  }
})

it('is none where the URL held a secret: what was asked is not known any more', () => {
  expect(replayCommand('http://127.0.0.1:8081', { ...sample, url: '/api/goods?email=‹email 0a1b2c3d4e5f›' })).toBeNull()
})
