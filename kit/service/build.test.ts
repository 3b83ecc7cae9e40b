import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { buildOf } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'banyan-build-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function app(name: string): string {
  const at = join(folder, name)
  mkdirSync(join(at, 'src'), { recursive: true })
  writeFileSync(join(at, 'package.json'), '{ "name": "@shop/app", "version": "1.2.3" }')
  writeFileSync(join(at, 'src/main.ts'), 'export const limit = 5\n')
  return at
}

it('is the same for the same sources, wherever they lie, and another when one line of them is', () => {
  const one = app('one')
  const other = join(folder, 'other')
  cpSync(one, other, { recursive: true })
  const build = buildOf(join(one, 'src'))
  expect(build).toMatch(/^@shop\/app@1\.2\.3\+[0-9a-f]{12}$/)
  expect(buildOf(other)).toBe(build)
  writeFileSync(join(other, 'src/main.ts'), 'export const limit = 6\n')
  expect(buildOf(other)).not.toBe(build)
})

it('does not change with tests and installed packages, which do not run or are pinned elsewhere', () => {
  const at = app('tested')
  const before = buildOf(at)
  writeFileSync(join(at, 'src/main.test.ts'), '')
  for (const left of ['node_modules', 'src/testing']) {
    mkdirSync(join(at, left))
    writeFileSync(join(at, left, 'more.ts'), '')
  }
  expect(buildOf(at)).toBe(before)
  writeFileSync(join(at, 'src/more.ts'), '')
  expect(buildOf(at)).not.toBe(before)
})

it('asks for a name where there is no package', () => {
  expect(() => buildOf('/')).toThrow(/BUILD/)
})
