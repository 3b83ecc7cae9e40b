import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createOperations, createReport, createRunner, htmlOf, junitOf, ruleShape } from '@banyan/kit/parity'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readRecording } from '../../../kit/parity/recording/read.ts'
import { toSequences } from '../../../kit/parity/recording/to-sequences.ts'
import { type Bug, startPairApp } from '../../../kit/parity/testing/pair-app.ts'
import { until } from '../../test-support/raw.ts'
import { startProxy } from '../../test-support/start-proxy.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /nothing, context: goods, access: read }
`
const operations = createOperations([
  { operationId: 'add', method: 'POST', path: '/items' },
  { operationId: 'get', method: 'GET', path: '/items/{id}' },
  { operationId: 'tax', method: 'GET', path: '/items/{id}/tax' },
  { operationId: 'change', method: 'PATCH', path: '/items/{id}' },
  { operationId: 'remove', method: 'DELETE', path: '/items/{id}' },
])
// Random in this app: in few requests a thing that is seldom there looks like one that was there once.
const rules = ['$..hint', '$..nonce', '$..traceId', '$..issuedAt', '$..eventId', '$.headers.x-instance'].map((at) =>
  ruleShape.parse({ at, ignore: true, reason: 'It is random in this app.', until: '2030-01-01' }),
)
const folder = mkdtempSync(join(tmpdir(), 'banyan-replay-'))
let file = ''

beforeAll(async () => {
  const shop = await startPairApp('monolith')
  const proxy = await startProxy({ routes: ROUTES, monolith: shop.url, recordInto: folder })
  const ask = async (method: string, path: string, cookie = '', body?: object) => {
    const headers = { cookie, ...(body ? { 'content-type': 'application/json' } : {}) }
    const answer = await fetch(proxy.url + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) })
    return {
      id: ((await answer.json()) as { id: number }).id,
      cookie: answer.headers.getSetCookie()[0]?.split(';')[0] ?? '',
    }
  }
  // Ids that a new world does not give.
  for (let made = 0; made < 5; made++) await ask('POST', '/items', '', { name: 'before', priceCents: 1 })
  proxy.recorder.start({ share: 1, requests: 1_000, megabytes: 1, minutes: 1 })
  const [one, other] = [await ask('GET', '/items/999'), await ask('GET', '/items/999')]
  let requests = 2
  for (let time = 0; time < 4; time++) {
    const note = `planted.${time}@example.com`
    const { id } = await ask('POST', '/items', one.cookie, { name: 'kettle', priceCents: 1003 + time, note })
    await ask('GET', `/items/${id}/tax`, other.cookie)
    await ask('PATCH', `/items/${id}`, one.cookie, { priceCents: 5 })
    await ask('GET', `/items/${id}`, other.cookie)
    if (time > 1) await ask('DELETE', `/items/${id}`, one.cookie)
    requests += time > 1 ? 5 : 4
  }
  await until('all are written', () => proxy.recorder.state().written === requests, 30_000)
  file = (await proxy.recorder.stop('the test has seen enough')).file!
  await proxy.close()
  await shop.close()
})
afterAll(() => rmSync(folder, { recursive: true }))

/** A replay into three new worlds. */
async function replay(bugs: readonly Bug[] = []) {
  const { sequences, skipped } = toSequences(readRecording(file), { users: [], accounts: [], unique: [], values: {} })
  const [left, twin, right] = [
    await startPairApp('left'),
    await startPairApp('twin'),
    await startPairApp('right', new Set(bugs)),
  ]
  const runner = createRunner({ left, twin, right, rules, operations, seed: 1, today: '2026-01-01' })
  await runner.run(sequences)
  await runner.settle()
  const result = runner.result()
  for (const side of [left, twin, right]) await side.close()
  const sides = { left: 'left', right: 'right' }
  const builds = { left: null, right: null }
  const report = createReport(result, {
    context: 'goods',
    sides,
    builds,
    seed: 1,
    at: '',
    minimum: 10,
    operations: [],
    faithful: 1,
    partial: true,
  })
  return { report, skipped, sequences: sequences.map(({ name }) => name) }
}

it('real traffic is replayed three times, with the ids of each world, asking the same and judged the same', async () => {
  const [first, ...others] = [await replay(), await replay(), await replay()]
  expect(first).toMatchObject({ skipped: 0, sequences: ['recorded sessions 1, 2'] })
  expect(first.report).toMatchObject({ verdict: 'alike', recorded: { asked: 20, same: 20 } })
  for (const { report } of others) {
    expect(report.asked).toBe(first.report.asked)
    expect([report.verdict, report.recorded]).toEqual([first.report.verdict, first.report.recorded])
  }
})

it('a side that was broken is seen, and what was secret stands nowhere', async () => {
  const { report } = await replay(['rounding', 'wrong-row'])
  expect(report.verdict).toBe('different')
  expect(report.differences.map(({ operation }) => operation)).toEqual(expect.arrayContaining(['tax', 'change']))
  const all = [readFileSync(file, 'utf8'), JSON.stringify(report), htmlOf(report), junitOf(report)].join('\n')
  expect(all).not.toMatch(/planted/)
})
