import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { HELP, readOptions, rerunOf } from './options.ts'

it.each([
  [['inventory', '--clock'], "Option '--clock <value>' argument missing"],
  [['inventory', '--service-file', '--twin'], "Option '--service-file' argument is ambiguous"],
  [['inventory', '--sedd', '1'], "Unknown option '--sedd'"],
  [['inventory', '--seed', 'x'], '--seed x: say a whole number'],
  [['inventory', '--requests', '-1'], "Option '--requests' argument is ambiguous"],
  [['inventry'], '"inventry" is no context: '],
  [['inventory', 'users'], '"inventory users" is no context: '],
  [[], 'say which context: '],
])('%j is refused before anything is started', (args, words) => {
  expect(() => readOptions(args)).toThrow(words)
})

it('keeps what makes the worlds, and passes the rest on', () => {
  const given = ['--twin', 'inventory', '--seed', '7', '--coverage', '--clock', 'now', '--folder', 'my/parity']
  const { own, passed, context } = readOptions(given)
  expect([context, own.twin, own.clock]).toEqual(['inventory', true, 'now'])
  expect(passed).toEqual(['--seed', '7', '--folder', 'my/parity', '--coverage'])
})

it('says what made the worlds in words that a shell takes as they were given', () => {
  const given = ["/tmp/my build/o'main.ts", '2027-12-31T23:59:30Z'] as const
  const { own } = readOptions(['inventory', '--service-file', given[0], '--clock', given[1], '--twin'])
  const [start, words] = rerunOf(own).split(' -- ')
  expect(start).toBe('npm run parity')
  const said = execFileSync('sh', ['-c', `printf '%s\\n' ${words}`], { encoding: 'utf8' })
  expect(said.trim().split('\n')).toEqual(['--twin', '--service-file', given[0], '--clock', given[1]])
})

it('takes every option of the comparison that worlds leave open', () => {
  const command = readFileSync(join(import.meta.dirname, '../../migrations/src/commands/parity.ts'), 'utf8')
  const made = ['left', 'right', 'sandbox', 'sides', 'identities', 'plans', 'rerun']
  const [, ...parts] = command.split("option('--")
  const open = parts.map((part) => part.split(/[ ']/)[0] ?? '').filter((name) => !made.includes(name))
  expect(open.length).toBeGreaterThan(8)
  expect(open.filter((name) => !HELP.includes(`--${name} `))).toEqual([])
})
