import { expect, it } from 'vitest'
import { observe } from './observation.ts'
import { createOperations } from './operations.ts'
import { createReport } from './report.ts'
import { createRunner } from './run.ts'
import type { Side } from './side.ts'

const operations = [{ operationId: 'get', method: 'GET', path: '/price', succeeds: true }]
/** @param says the price, by how often it was asked before */
function side(name: string, says: (time: number) => number | null): Side {
  let asked = 0
  return {
    name,
    ask: async () => observe(200, { 'content-type': 'application/json' }, JSON.stringify({ price: says(asked++) })),
    close: async () => undefined,
  }
}

async function judged(left: (time: number) => number | null, right: (time: number) => number | null) {
  const runner = createRunner({
    ...{ left: side('old', left), right: side('new', right), rules: [], seed: 1, today: '2026-01-01' },
    operations: createOperations(operations),
  })
  await runner.run([{ name: 's', kind: 'scenario', steps: [{ method: 'GET', path: '/price' }] }])
  await runner.settle()
  const { verdict, reasons } = createReport(runner.result(), {
    ...{ context: 'prices', sides: { left: 'old', right: 'new' }, builds: { left: null, right: null } },
    ...{ seed: 1, at: 'now', minimum: 1, operations },
  })
  return `${verdict}: ${reasons.join()}`
}

it('a difference seen once is real when it comes back each time it is asked for', async () => {
  expect(
    await judged(
      () => 1,
      () => 2,
    ),
  ).toContain('different: 1 difference')
})

it.each([
  ['at once', 1],
  ['the third time', 3],
])('a difference that does not come back, %s, proves nothing', async (_, gone) => {
  const right = (time: number) => (time < gone ? 2 : 1)
  expect(await judged(() => 1, right)).toBe('inconclusive: 1 difference seen that did not come back when asked for')
})

it('a difference is noise when one side alone shows it, as soon as it is asked again', async () => {
  // The left is asked twice each time: it varies from the second time on.
  const left = (time: number) => (time === 3 ? 2 : 1)
  expect(await judged(left, (time) => (time < 2 ? 2 : 1))).toContain('alike: ')
})

it('that a value varies by itself does not make noise of one that is of another type, be it seldom', async () => {
  const right = (time: number) => (time === 0 ? null : time)
  expect(await judged((time) => time, right)).toBe(
    'inconclusive: 1 difference seen that did not come back when asked for',
  )
})
