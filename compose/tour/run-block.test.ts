import { expect, test } from 'vitest'
import { runBlock } from './run-block.ts'

const options = { cwd: '/', env: {}, show: () => undefined }

test('a block that is not done in time has failed, although its end was in good order', async () => {
  const { code, output } = await runBlock('sleep 60', { ...options, withinMs: 300 })
  expect(code).toBe(124)
  expect(output).toContain('not done within 0.3 s')
})

test('a block ends with the code of its first command that fails', async () => {
  expect((await runBlock('true\n(exit 3)\ntrue', { ...options, withinMs: 20_000 })).code).toBe(3)
})
