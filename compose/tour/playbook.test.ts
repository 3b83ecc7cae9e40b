import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { STAGES } from '../provision/services.ts'
import { executed, parsePlaybook, textOf } from './playbook.ts'

const page = [
  '# Playbook',
  '## Stage 0-monolith',
  'Goal.',
  '### Look',
  'See this.',
  '```sh run',
  'echo one',
  'echo two',
  '```',
  '```json',
  '{}',
  '```',
  '```sh check',
  'true',
  '```',
  '```sh back',
  'echo never',
  '```',
  '```sh back run',
  'echo back',
  '```',
  '## Stage 3-inventory',
  '### Move',
  '```sh',
  'only shown',
  '```',
].join('\n')

test('chapters, steps and tagged blocks are read in order; an untagged block is prose', () => {
  const [first, second] = parsePlaybook(page)
  expect(first).toMatchObject({ name: '0-monolith', number: 0, steps: [{ title: 'Look' }] })
  expect(first?.steps[0]?.blocks.map((block) => block.command)).toEqual([
    'echo one\necho two',
    'true',
    'echo never',
    'echo back',
  ])
  expect(second?.steps[0]?.blocks).toEqual([])
  expect(second?.steps[0]?.page).toContain('only shown')
})

test('a step is shown with its commands where they stand: all before Enter, else those that nobody executes', () => {
  const look = parsePlaybook(page)[0]!.steps[0]!
  const [all, some] = [textOf(look, true), textOf(look, false)].map((text) => text.split('\n').filter(Boolean))
  expect(all).toEqual([
    'See this.',
    '  $ echo one',
    '  $ echo two',
    '{}',
    'Check:',
    '  $ true',
    '  $ echo never',
    '  $ echo back',
  ])
  expect(some).toEqual(['See this.', '{}', '  $ echo never'])
})

test('a way back is executed only where it says so', () => {
  const step = parsePlaybook(page)[0]?.steps[0]
  expect(executed(step!).map((block) => block.kind)).toEqual(['run', 'check', 'back'])
})

test('a tag that does not exist is refused with its line', () => {
  expect(() => parsePlaybook('## Stage 0-x\n### S\n```sh runn\n```')).toThrow('docs/playbook.md:3')
})

test('a command outside of a step is refused with its line', () => {
  expect(() => parsePlaybook('## Stage 0-x\n```sh run\n```')).toThrow('docs/playbook.md:2')
})

test('the page of this repository has its chapters, and every step of it a check', () => {
  const chapters = parsePlaybook(readFileSync(new URL('../../docs/playbook.md', import.meta.url), 'utf8'))
  expect(chapters.map(({ name }) => name)).toEqual(
    STAGES.filter((stage) => chapters.some(({ name }) => name === stage)),
  )
  for (const step of chapters.flatMap((chapter) => chapter.steps))
    expect([step.title, step.blocks.some((block) => block.kind === 'check')]).toEqual([step.title, true])
})

// What failed of a killed process is given again from the line that failed: a line has to be a command by itself.
test('every line of an executed block is a whole command', () => {
  const chapters = parsePlaybook(readFileSync(new URL('../../docs/playbook.md', import.meta.url), 'utf8'))
  const lines = chapters
    .flatMap((chapter) => chapter.steps.flatMap(executed))
    .flatMap((block) => block.command.split('\n').map((line) => ({ line, at: block.line })))
  // One shell for all of them, which asks another one about each: a process of ours is dear to fork.
  const each = 'for line; do sh -n -c "$line" 2>&- || printf "%s\\n" "$line"; done'
  const asked = spawnSync('sh', ['-c', each, 'sh', ...lines.map(({ line }) => line)], { encoding: 'utf8' })
  expect([asked.status, asked.stdout]).toEqual([0, ''])
  expect(lines.filter(({ line }) => /\\$/.test(line))).toEqual([])
  expect(lines.filter(({ line }) => line.trim() === '')).toEqual([])
})
