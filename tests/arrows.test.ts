import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { afterEach, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const planted: string[] = []

/** Writes a source file that must not stand, and remembers to take it away. */
function plant(path: string, text: string): void {
  const file = join(root, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  planted.push(file)
}

function cruise(path: string) {
  return spawnSync(
    join(root, 'node_modules/.bin/depcruise'),
    ['--config', '.dependency-cruiser.cjs', '--output-type', 'err', path],
    { cwd: root, encoding: 'utf8' },
  )
}

afterEach(() => {
  for (const file of planted.splice(0)) rmSync(file)
})

it('the check of the arrows sees a wrong import in a TypeScript source', () => {
  plant('kit/service/planted.ts', "import type { A } from '../../compose/planted.ts'\nexport const wrong: A = 1\n")
  plant('compose/planted.ts', 'export type A = number\n')
  const found = cruise('kit/service/planted.ts')
  expect(found.stdout).toContain('kit-imports-packages-only')
  expect(found.status).not.toBe(0)
})

it('and lets a right one pass', () => {
  plant('kit/service/planted.ts', "import { readFileSync } from 'node:fs'\nexport const right = readFileSync\n")
  expect(cruise('kit/service/planted.ts').status).toBe(0)
})
