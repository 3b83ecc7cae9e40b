import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { directionOf } from './switches.ts'

const REFUSED = fileURLToPath(new URL('refused.ts', import.meta.url))
const codeOf = (said: string, code: number) =>
  spawnSync(process.execPath, [REFUSED, 'moved later', 'sh', '-c', `echo '${said}' >&2; exit ${code}`]).status

test('only a refusal for the reason named counts as one', () => {
  expect(codeOf('refused: orders moved later', 2)).toBe(0)
  expect(codeOf('refused: a vacuum is running', 2)).toBe(1)
  expect(codeOf('orders moved later', 0)).toBe(1)
  expect(codeOf('orders moved later', 1)).toBe(1)
})

test('a rollback that must be refused is no switch in the report', () => {
  expect(directionOf('npm run -s banyan -- rollback payments')).toBe('to-monolith')
  expect(
    directionOf('node compose/run.mjs compose/tour/refused.ts "moved later" npm run -s banyan -- rollback payments'),
  ).toBeUndefined()
})
