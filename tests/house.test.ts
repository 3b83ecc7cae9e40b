import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const sources = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.mjs'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter(Boolean)
const textOf = (file: string) => readFileSync(join(root, file), 'utf8')
const linesOf = (file: string) => textOf(file).split('\n').length - 1

describe('the house stays readable', () => {
  it('no source is longer than 400 lines', () => {
    expect(sources.filter((file) => !file.endsWith('.test.ts') && linesOf(file) > 400)).toEqual([])
  })

  it('nineteen of twenty sources have at most 250 lines', () => {
    const lengths = sources.filter((file) => !file.endsWith('.test.ts')).map(linesOf)
    const long = lengths.filter((length) => length > 250).length
    expect(long / lengths.length).toBeLessThanOrEqual(0.05)
  })

  it('a main.ts only reads its configuration, builds and starts', () => {
    const entries = sources.filter((file) => /^(monolith|strangler-proxy|extracted\/[^/]+)\/src\/main\.ts$/.test(file))
    expect(entries.filter((file) => linesOf(file) > 40)).toEqual([])
  })

  it('what tests start ends with them: it watches its standard input, or a shell watches for it', () => {
    const starts = sources.filter(
      (file) => /\.test\.ts$|(^|\/)(tests|testing|test-support)\//.test(file) && / spawn\(/.test(textOf(file)),
    )
    const ends = (text: string) => /BANYAN_LIFELINE: 'stdin'|lifeline: 'stdin'|endWithRunner\(/.test(text)
    const watched = [
      // Their own children read standard input, and end when it does.
      'compose/embedded/infra.system.test.ts',
      'kit/outbox/testing/child.ts',
      'strangler-proxy/test-support/large-bodies.ts',
      'tests/bench/proxy/processes.ts',
      'tests/containers/broker-fallback.containers.test.ts',
      'tests/support/end-with-runner.test.ts',
      'tests/support/end-with-runner.ts',
      'tests/support/services.ts',
    ]
    expect(starts.filter((file) => !ends(textOf(file)) && !watched.includes(file))).toEqual([])
    expect(watched.filter((file) => !starts.includes(file))).toEqual([])
  })

  it('every file name is kebab-case', () => {
    const kebab =
      /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|int\.test|system\.test|long\.test|containers(-all)?\.test|config|v\d+))*\.(ts|mjs)$/
    const migration = /^\d{3}_[a-z0-9_]+\.ts$/
    expect(sources.map((file) => basename(file)).filter((name) => !kebab.test(name) && !migration.test(name))).toEqual(
      [],
    )
  })
})
