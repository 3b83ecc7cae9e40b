import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { ROOT } from './stack.ts'
import { writeStackEnv } from './stack-env.ts'

const NAME = `test-env-${process.pid}`
const FOLDER = join(ROOT, '.banyan', NAME)
const FILE = join(FOLDER, 'stack.env')
/** As in a folder of somebody whose name has an apostrophe, and in a password. */
const VALUE = "/home/o'neil/it''s $HOME `x` \\ \"here\""

afterEach(() => rmSync(FOLDER, { recursive: true }))

test('what a running stack tells a second terminal arrives whole, by sh and by the command line', () => {
  mkdirSync(FOLDER, { recursive: true })
  const remove = writeStackEnv(ROOT, NAME, { BANYAN_TEST_VALUE: VALUE })
  expect(statSync(FILE).mode & 0o777).toBe(0o600)
  expect(execFileSync('sh', ['-c', `. '${FILE}'; printf %s "$BANYAN_TEST_VALUE"`], { encoding: 'utf8' })).toBe(VALUE)

  writeFileSync(join(FOLDER, 'print.mjs'), 'process.stdout.write(process.env.BANYAN_TEST_VALUE)')
  const print = `migrations/../.banyan/${NAME}/print.mjs`
  const env = { ...process.env, BANYAN_STACK: NAME }
  expect(execFileSync(process.execPath, ['compose/run.mjs', print], { cwd: ROOT, env, encoding: 'utf8' })).toBe(VALUE)
  remove()
})
