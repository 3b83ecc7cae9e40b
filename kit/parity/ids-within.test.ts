import { expect, it } from 'vitest'
import type { Observation } from './observation.ts'
import { createOperations } from './operations.ts'
import { ruleShape } from './rules.ts'
import { createRunner } from './run.ts'
import type { Side } from './side.ts'
import type { Step } from './step.ts'

const operations = createOperations([
  { operationId: 'place', method: 'POST', path: '/orders' },
  { operationId: 'get', method: 'GET', path: '/orders/{id}' },
])
const rules = [
  { at: '$.headers.location', within: '^/orders/(\\d+)$' },
  { at: '$.body.self', within: '/orders/(\\d+)' },
  { at: '$.body.id' },
].map((rule) => ruleShape.parse({ ...rule, bijection: 'order', reason: 'each counts by itself', until: '2099-01-01' }))

/** Gives its orders numbers from its first one on. @param link the number that the answer of a read names */
function shop(name: string, first: number, link: (id: number) => number = (id) => id): Side {
  let last = first - 1
  return {
    name,
    async ask({ method, path }) {
      const id = method === 'POST' ? ++last : Number(path.split('/').at(-1))
      const headers: Record<string, string> = method === 'POST' ? { location: `/orders/${id}` } : {}
      const self = `https://shop.example/orders/${method === 'POST' ? id : link(id)}?full`
      return { status: 200, headers, cookies: {}, body: { id, self } } satisfies Observation
    },
    close: async () => undefined,
  }
}

const steps: Step[] = [
  { method: 'POST', path: '/orders', capture: { order: '$.body.id' } },
  { method: 'GET', path: '/orders/{{order}}' },
]
async function compareShops(right: Side) {
  const runner = createRunner({ left: shop('old', 17), right, rules, operations, seed: 1, today: '2026-01-01' })
  await runner.run(['a', 'b', 'c'].map((name) => ({ name, kind: 'scenario', steps })))
  await runner.settle()
  return runner.result()
}

it('finds sides alike whose ids differ in the same way in headers, URLs and values', async () => {
  const { real, doubtful, noise, rules: used } = await compareShops(shop('new', 4_001))
  expect([...real, ...doubtful, ...noise]).toEqual([])
  expect(used.every((rule) => rule.used > 0)).toBe(true)
})

it('finds an id that differs in another way inside a URL than everywhere else', async () => {
  for (const link of [() => 4_001, (id: number) => id - 3_984]) {
    const { real } = await compareShops(shop('new', 4_001, link))
    expect(real.map(({ operation, at }) => `${operation} ${at}`)).toEqual(['get $.body.self'])
  }
})
