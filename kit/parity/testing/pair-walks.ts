import { createOperations } from '../operations.ts'
import { createRunner, type RunResult } from '../run.ts'
import type { Sequence, Step } from '../step.ts'
import { BUGS, type Bug, startPairApp } from './pair-app.ts'

const operations = createOperations(
  [
    ['add', 'POST', '/items'],
    ['list', 'GET', '/items'],
    ['get', 'GET', '/items/{id}'],
    ['tax', 'GET', '/items/{id}/tax'],
    ['change', 'PATCH', '/items/{id}'],
    ['remove', 'DELETE', '/items/{id}'],
    ['take', 'POST', '/items/{id}/take'],
  ].map(([operationId, method, path]) => ({ operationId: operationId!, method: method!, path: path! })),
)

/** Where each bug shows, and as what. */
export const SHOWS: Record<Bug, (found: { operation: string; at: string; kind: string }) => boolean> = {
  'wrong-status': ({ operation, at }) => operation === 'remove' && at === '$.status',
  'missing-header': ({ operation, at, kind }) =>
    operation === 'add' && at === '$.headers.location' && kind === 'missing',
  rounding: ({ operation, at }) => operation === 'tax' && at === '$.body.taxCents',
  'time-zone': ({ at, kind }) => at === '$.body.issuedAt' && kind === 'format',
  'null-not-absent': ({ operation, at, kind }) => operation === 'get' && at === '$.body.note' && kind === 'extra',
  'list-order': ({ operation, at, kind }) => operation === 'list' && at === '$.body.ids' && kind === 'order',
  'page-off-by-one': ({ operation, at, kind }) =>
    operation === 'list' && at.startsWith('$.body.ids') && kind !== 'order',
  'swallowed-error': ({ operation, at }) => operation === 'add' && at === '$.status',
  'missing-event': ({ operation, at }) => operation === 'remove' && at.startsWith('$.events'),
  'wrong-row': ({ operation, at }) => operation === 'change' && at.startsWith('$.rows'),
  'leaked-field': ({ at, kind }) => at === '$.body.supplierPriceCents' && kind === 'extra',
  race: ({ operation, at }) => operation === 'take' && at === '$.outcomes[*].status',
}

/** Whether a finding is but what the app varies by itself in. */
export const isRandom = ({ at, kind }: { at: string; kind: string }) =>
  /\.(traceId|nonce|hint|x-instance|eventId)$/.test(at) || (at.endsWith('.issuedAt') && kind === 'value')

/** Five bugs, others for another seed. */
export const fiveBugs = (seed: number): Bug[] =>
  Array.from({ length: 5 }, (_, index) => BUGS[(seed + index * 5) % BUGS.length]!)

/** Compares an app as it is with one that has the bugs, over random walks. */
export async function compareApps(seed: number, bugs: ReadonlySet<Bug>, walks = 20): Promise<RunResult> {
  const [left, twin, right] = [
    await startPairApp('left'),
    await startPairApp('twin'),
    await startPairApp('right', bugs),
  ]
  try {
    const runner = createRunner({ left, twin, right, rules: [], operations, seed, today: '2026-01-01' })
    await runner.run(sequencesOf(seed, walks))
    await runner.settle()
    return runner.result()
  } finally {
    for (const side of [left, twin, right]) await side.close()
  }
}

/** Random walks over the shop, the same for the same seed. */
function* sequencesOf(seed: number, walks: number): Iterable<Sequence> {
  let state = seed * 2_654_435_761
  const below = (limit: number) => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 374_761_393) >>> 0
    return state % limit
  }
  for (let index = 0; index < walks; index++) {
    const item = '{{item}}'
    const add = (priceCents: number): Step => ({
      method: 'POST',
      path: '/items',
      body: { name: `{{unique}}`, priceCents, ...(below(2) ? { note: 'fragile' } : {}) },
      capture: { item: '$.body.id' },
    })
    const steps: Step[] = [
      add(below(10_000)),
      add(below(10_000)),
      add(below(10_000)),
      { method: 'GET', path: '/items', query: below(2) ? { name: '{{unique}}' } : { name: '{{unique}}', page: 2 } },
      { method: 'GET', path: `/items/${item}` },
      { method: 'GET', path: `/items/${item}/tax` },
      { method: 'PATCH', path: `/items/${item}`, body: { priceCents: below(10_000) } },
      { method: 'POST', path: `/items/${item}/take`, together: 2 },
      { method: 'DELETE', path: below(3) ? `/items/${item}` : '/items/999999' },
      ...(below(2) ? [add(-1)] : []),
    ]
    yield { name: `walk ${index}`, kind: 'generated', steps }
  }
}
