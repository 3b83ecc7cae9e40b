import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { affectedBy, type Change } from './affected.ts'
import { closures } from './closure.ts'
import { type LockFile, lockedFor } from './locked.ts'
import { imagesOf } from './tags.ts'

const SOURCES = new Map([
  ['kit/outbox/index.ts', "import { fault } from '../service/index.ts'"],
  ['kit/outbox/relay.test.ts', "import { inbox } from '../inbox/index.ts'"],
  ['kit/service/index.ts', "import type { Saga } from './faults.ts'"],
  ['kit/inbox/index.ts', ''],
  ['kit/saga/index.ts', "export * from '../inbox/index.ts'"],
  ['extracted/user-service/src/main.ts', "import { relay } from '@banyan/kit/outbox'\nawait import('./late.ts')"],
  ['extracted/user-service/src/late.ts', ''],
  ['extracted/user-service/src/testing/users.ts', "import { saga } from '@banyan/kit/saga'"],
  ['extracted/order-service/src/main.ts', "const { saga } = await import('@banyan/kit/saga/steps')"],
  ['compose/shoppers/main.ts', "import { readFileSync } from 'node:fs'"],
])
const WORKSPACES = ['extracted/user-service', 'extracted/order-service', 'compose']
const needs = (...names: string[]) => ({ dependencies: Object.fromEntries(names.map((name) => [name, '*'])) })
const LOCK: LockFile = {
  packages: {
    '': { ...needs('typescript') },
    kit: needs('pg'),
    'extracted/user-service': { ...needs('@banyan/kit'), optionalDependencies: { argon2: '1', absent: '1' } },
    'extracted/order-service': needs('@banyan/kit', 'zod'),
    compose: needs('pg'),
    'compose/node_modules/pg': { version: '7.0.0' },
    'node_modules/@banyan/kit': { resolved: 'kit', link: true },
    'node_modules/pg': { version: '8.0.0', ...needs('split') },
    'node_modules/pg/node_modules/split': { version: '1.0.0' },
    'node_modules/split': { version: '2.0.0' },
    'node_modules/argon2': { version: '3.0.0' },
    'node_modules/zod': { version: '4.0.0' },
    'node_modules/typescript': { version: '7.0.0' },
  },
}
const affected = (change: Partial<Change>) =>
  affectedBy({ files: [], sources: SOURCES, lock: LOCK, lockBefore: LOCK, ...change }, WORKSPACES)
const withVersion = (at: string, version: string): LockFile => ({
  packages: { ...LOCK.packages, [at]: { ...LOCK.packages[at], version } },
})

describe('what a workspace may run', () => {
  test('is its own, and what it imports of the kit, however indirectly, but nothing that only tests import', () => {
    const closureOf = closures(SOURCES)
    expect(closureOf('extracted/user-service')).toEqual(['extracted/user-service', 'kit', 'kit/outbox', 'kit/service'])
    expect(closureOf('extracted/order-service')).toEqual(['extracted/order-service', 'kit', 'kit/inbox', 'kit/saga'])
    expect(closureOf('compose')).toEqual(['compose'])
  })

  test('is of packages what Node would find from there: the nearest, with what that needs, and none for development', () => {
    const shared = ['node_modules/pg/node_modules/split@1.0.0', 'node_modules/pg@8.0.0']
    expect(lockedFor(LOCK, 'extracted/user-service')).toEqual(['node_modules/argon2@3.0.0', ...shared])
    expect(lockedFor(LOCK, 'extracted/order-service')).toEqual([...shared, 'node_modules/zod@4.0.0'])
    expect(lockedFor(LOCK, 'compose')).toEqual(['compose/node_modules/pg@7.0.0'])
    expect(() => lockedFor(LOCK, 'extracted/none')).toThrow('knows no workspace extracted/none')
  })
})

describe('a change is about', () => {
  test.each<[string, string[], string[]]>([
    ['a process whose workspace it touches', ['extracted/order-service/README.md'], ['extracted/order-service']],
    ['whoever imports the part of the kit', ['kit/inbox/index.ts'], ['extracted/order-service']],
    ['whoever imports it indirectly', ['kit/service/faults.ts'], ['extracted/user-service']],
    ['all of the kit’s', ['kit/package.json'], ['extracted/user-service', 'extracted/order-service']],
    ['every image, where how they are made changes', ['Dockerfile'], WORKSPACES],
    ['none, where tests or documents change', ['kit/inbox/inbox.int.test.ts', 'docs/operate.md', 'tests/a.ts'], []],
    ['none, where only scripts of the root do', ['package.json'], []],
  ])('%s', (_, files, images) => {
    expect(affected({ files })).toEqual(images)
  })

  test('whoever is given another version of a package, and nobody else', () => {
    expect(affected({ lockBefore: withVersion('node_modules/zod', '3.0.0') })).toEqual(['extracted/order-service'])
    expect(affected({ lockBefore: withVersion('node_modules/pg/node_modules/split', '0.9.0') })).toEqual(
      WORKSPACES.slice(0, 2),
    )
    expect(affected({ lockBefore: withVersion('node_modules/typescript', '6.0.0') })).toEqual([])
  })

  test('a workspace that was not there before', () => {
    const { compose: _, ...packages } = LOCK.packages
    expect(affected({ lockBefore: { packages } })).toEqual(['compose'])
  })
})

describe('the repository', () => {
  const root = resolve(import.meta.dirname, '../..')
  const read = (path: string) => readFileSync(join(root, path), 'utf8')
  let sources: Map<string, string>

  beforeAll(() => {
    const paths = execFileSync('git', ['ls-files', '*.ts', '*.mjs'], { cwd: root, encoding: 'utf8' })
    sources = new Map(paths.split('\n').flatMap((path) => (path ? [[path, read(path)]] : [])))
  })

  test('has no image whose process imports more than the Dockerfile gives it: its workspace and the kit', () => {
    const closureOf = closures(sources)
    for (const workspace of imagesOf(root).keys()) {
      const others = closureOf(workspace).filter((part) => part !== workspace && !/^kit(\/|$)/.test(part))
      expect({ workspace, others }).toEqual({ workspace, others: [] })
    }
  })

  test('builds for a change to sagas those that have some, and not the users’ service', () => {
    const lock = JSON.parse(read('package-lock.json'))
    const change = { files: ['kit/saga/index.ts'], sources, lock, lockBefore: lock }
    const images = affectedBy(change, [...imagesOf(root).keys()])
    expect(images).toContain('extracted/order-service')
    expect(images).not.toContain('extracted/user-service')
    expect(images).not.toContain('compose')
  })
})
