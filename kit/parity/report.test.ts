import { describe, expect, it } from 'vitest'
import { linesOf } from './lines.ts'
import { createMask } from './mask.ts'
import { isSuccess, observe } from './observation.ts'
import { createOperations } from './operations.ts'
import { createReport, EXIT_CODES } from './report.ts'
import { htmlOf } from './report-html.ts'
import { junitOf, xml } from './report-junit.ts'
import { ruleShape } from './rules.ts'
import { createRunner, type RunResult } from './run.ts'
import type { Side } from './side.ts'
import { fisher, wilson } from './statistics.ts'
import { createTally } from './tally.ts'

const NOTHING: RunResult = {
  ...{ real: [], noise: [], doubtful: [], unmet: [], unhealthy: [], operations: [], rules: [] },
  ...{ recorded: { asked: 0, same: 0 }, asked: '', requests: 0, compared: 0, durationMs: 1_000, comparingMs: 10 },
}
const reportOf = (
  more: Partial<RunResult>,
  operations = [{ operationId: 'get', succeeds: true }],
  faithful = 0,
  coverage = false,
) =>
  createReport(
    { ...NOTHING, ...more },
    {
      context: 'orders',
      sides: { left: 'old', right: 'new' },
      builds: { left: 'old+1', right: null },
      seed: 1,
      at: 'now',
      minimum: 20,
      faithful,
      coverage,
      operations,
    },
  )
const rule = ruleShape.parse({ at: '$.a', ignore: true, reason: 'the test says why', until: '2030-01-01' })
const origin = { sequence: 's', index: 0, step: 0 }

describe('the verdict', () => {
  it('is never alike for nothing compared', () => {
    expect(reportOf({}).verdict).toBe('inconclusive')
    expect(EXIT_CODES[reportOf({}).verdict]).toBe(2)
    expect(EXIT_CODES[reportOf({ compared: 20 }).verdict]).toBe(0)
  })

  it('is inconclusive when a side gave no answer', () => {
    const unhealthy = [{ side: 'new', what: 'connection refused', times: 1 }]
    expect(reportOf({ compared: 100, unhealthy }).verdict).toBe('inconclusive')
  })

  it('is inconclusive when too little was answered as it was recorded', () => {
    const replayed = (same: number) => reportOf({ compared: 100, recorded: { asked: 100, same } }, undefined, 0.5)
    expect(replayed(50).verdict).toBe('alike')
    expect(replayed(49)).toMatchObject({
      verdict: 'inconclusive',
      reasons: ['only 49 of 100 recorded requests were answered as they had been'],
    })
  })

  it('is different for a rule that matched nothing or has ended', () => {
    const use = { rule, kind: 'ignore' as const, used: 0, expired: false }
    expect(reportOf({ compared: 100, rules: [use] }).verdict).toBe('different')
    expect(reportOf({ compared: 100, rules: [{ ...use, used: 3, expired: true }] }).verdict).toBe('different')
    expect(reportOf({ compared: 100, rules: [{ ...use, used: 3 }] }).verdict).toBe('alike')
  })

  it('names the operation of a rule that holds for it alone', () => {
    const use = { rule: { ...rule, operation: 'get' }, kind: 'ignore' as const, used: 0, expired: false }
    const unused = reportOf({ compared: 100, rules: [use] })
    expect(unused.reasons).toEqual(['the rule at $.a of get matched nothing; take it out'])
    expect(htmlOf(unused)).toContain('<td>$.a of get</td>')
  })

  it('is different for an expectation not met', () => {
    const unmet = [{ sequence: 's', step: 0, side: 'old', what: '$.status is 500, not 200' }]
    expect(EXIT_CODES[reportOf({ compared: 100, unmet }).verdict]).toBe(1)
  })
})

it('an operation that was only refused is not covered, unless the contract has no other answer of it', async () => {
  const tally = createTally(createMask())
  tally.compared('some', [], origin)
  tally.compared('some', [], origin)
  tally.succeeded('some')
  tally.compared('refused', [], origin)
  tally.compared('gone', [], origin)
  const operations = [
    { operationId: 'some', succeeds: true },
    { operationId: 'refused', succeeds: true },
    { operationId: 'gone', succeeds: false },
    { operationId: 'never', succeeds: true },
  ]
  const report = reportOf({ operations: tally.operations() }, operations)
  expect(report).toMatchObject({ uncovered: ['never'], onlyRefused: ['refused'] })
  expect(htmlOf(report)).toContain('<p>Only refused: refused.</p>')
  expect(htmlOf(report)).toContain('<p>Never compared: never.</p>')
  expect(htmlOf(report)).toContain('<tr><td>some</td><td>2</td><td>1</td><td>0</td><td>0</td></tr>')
  expect(reportOf({ compared: 20, operations: tally.operations() }, operations).verdict).toBe('alike')
  const asked = reportOf({ compared: 20, operations: tally.operations() }, operations, 0, true)
  expect(asked).toMatchObject({ verdict: 'inconclusive', reasons: ['never compared: never', 'only refused: refused'] })
  const covered = reportOf({ compared: 20, operations: tally.operations() }, operations.slice(0, 1), 0, true)
  expect(covered.verdict).toBe('alike')
})

it('a request is answered with success by 2xx alone, and one of several at once is enough', () => {
  const answer = (status: number) => observe(status, {}, '')
  expect([199, 200, 204, 299, 302, 404].filter((status) => isSuccess(answer(status)))).toEqual([200, 204, 299])
  expect(isSuccess({ outcomes: [answer(201), answer(409)] })).toBe(true)
  expect(isSuccess({ outcomes: [answer(409), answer(500)] })).toBe(false)
})

describe('reports', () => {
  const secret = 'correct-horse-battery'
  const tally = createTally(createMask([secret]))
  const left = { password: 'hunter2hunter2', note: `by ${secret}`, mail: 'ann@example.com <script>' }
  for (let time = 0; time < 30; time++) {
    tally.askedTwice('get', [])
    tally.compared('get', [{ path: '$.body', kind: 'value', left, right: 'eyJhbGciOi.eyJzdWIi.c2ln' }], origin)
  }
  const report = reportOf({ ...tally.judge(), compared: 30, operations: tally.operations() })

  it('hold no secret, neither known, nor by name, nor by form', () => {
    const all = [JSON.stringify(report), htmlOf(report), junitOf(report)].join('\n')
    expect(report.differences).toHaveLength(1)
    for (const word of [secret, 'hunter2', 'ann@example.com', 'eyJhbGciOi']) expect(all).not.toContain(word)
    expect(all).toContain('secret')
  })

  it('say how far a place varies by itself, or that nobody has asked', () => {
    expect(htmlOf(report)).toContain(
      '30 of 30 comparisons; by itself it varies in at most 11.4 % (95 %, asked twice 30 times).',
    )
    const once = createTally(createMask())
    once.compared('add', [{ path: '$.status', kind: 'value', left: 201, right: 200 }], origin)
    const unasked = reportOf({ ...once.judge(), compared: 1, operations: once.operations() })
    expect(htmlOf(unasked)).toContain('1 of 1 comparisons; no side was asked the same twice here')
  })

  it('hold no secret that only its place, a name on the way to it, tells', () => {
    const at = (path: string) => {
      const places = createTally(createMask())
      places.compared('get', [{ path, kind: 'value', left: 'opaque-left', right: 'opaque-right' }], origin)
      return JSON.stringify(reportOf({ ...places.judge(), compared: 1, operations: places.operations() }).differences)
    }
    for (const path of ['$.body.refreshToken', '$.cookies.sid.value', '$.rows.logins.changed[0].token_hash'])
      expect(at(path)).not.toContain('opaque')
    // A reader needs to see the rest.
    expect(at('$.rows.refresh_tokens.changed[0].used_at')).toContain('opaque-left')
  })

  it('hold no secret of an expectation that was not met, or of an unknown path', async () => {
    const body = { refreshToken: 'opaque-answer', mail: 'ann@example.com' }
    const side = (name: string): Side => ({
      name,
      ask: async () => observe(200, { 'content-type': 'application/json' }, JSON.stringify(body)),
      close: async () => undefined,
    })
    const [left, right] = [side('old'), side('new')]
    const runner = createRunner({
      left,
      right,
      rules: [],
      operations: createOperations([]),
      seed: 1,
      today: '2026-01-01',
    })
    const expected = { 'body.refreshToken': 'opaque-wanted', 'body.mail': 'bob@example.com' }
    const step = { method: 'GET', path: '/users/eve@example.com', expect: expected }
    await runner.run([{ name: 's', kind: 'scenario', steps: [step] }])
    const all = htmlOf(reportOf(runner.result()))
    expect(all).toContain('$.body.refreshToken is')
    for (const word of ['opaque', 'ann@', 'bob@', 'eve@']) expect(all).not.toContain(word)
  })

  it('hold no secret of a request or an answer that stands again where nothing tells it', async () => {
    const words = {
      password: 'planted horse',
      query: 'planted-query',
      cookie: 'planted-cookie',
      key: 'planted-key',
      bearer: 'planted-bearer',
      form: 'planted-form',
      answered: 'planted-answered',
      row: 'planted-row',
    }
    const repeated = Object.fromEntries(
      Object.values(words).map((word, at) => [`said${at}`, `${word} is what you said`]),
    )
    const side = (name: string, told: object): Side => ({
      name,
      ask: async () => {
        const body = { ...told, accessToken: words.answered, 'planted@example.com': name }
        const headers = { 'content-type': 'application/json', location: `/after?token=planted-${name}`, name }
        return observe(200, headers, JSON.stringify(body))
      },
      effects: {
        begin: async () => undefined,
        collect: async () => ({
          rows: { card_hints: { changed: [{ hash_of_token: words.row, hint: `${words.row} ${name}` }] } },
        }),
        close: async () => undefined,
      },
      close: async () => undefined,
    })
    const headers = {
      ...{ cookie: `theme=dark; sid=${words.cookie}`, 'x-api-key': words.key },
      authorization: `Bearer ${words.bearer}`,
    }
    const path = `/users?token=${words.query}`
    const steps = [
      { method: 'POST', path, headers, body: { password: words.password, confirm: words.password } },
      { method: 'POST', path, form: { pin: words.form } },
    ]
    const runner = createRunner({
      ...{ left: side('old', repeated), right: side('new', {}), rules: [], operations: createOperations([]) },
      ...{ seed: 1, today: '2026-01-01' },
    })
    await runner.run([{ name: 's', kind: 'scenario', steps }])
    const result = runner.result()
    const all = [JSON.stringify(reportOf(result)), htmlOf(reportOf(result)), ...linesOf(steps)].join('\n')
    expect(result.real.map(({ at }) => at)).toEqual(
      expect.arrayContaining(['$.body.said0', '$.headers.location', '$.rows.card_hints.changed[*].hint']),
    )
    expect(all.match(/.{0,20}planted.{0,20}/g) ?? []).toEqual([])
    // What is no secret stays to be read.
    for (const word of ['is what you said', 'confirm', '"new"']) expect(all).toContain(word)
  })

  it('escape what they show', () => {
    expect(xml('a\u0000b\uffffc\ud800 🫖\n<')).toBe('a\ufffdb\ufffdc\ufffd 🫖\n&lt;')
    expect(htmlOf(report)).not.toContain('<script>')
    expect(junitOf(report)).toContain('<testsuite name="parity orders" tests="2" failures="2"')
  })
})

describe('statistics', () => {
  it('give the bounds and chances of the textbooks', () => {
    expect(wilson(0, 10)[1]).toBeCloseTo(0.2775, 3)
    expect(wilson(5, 10)[0]).toBeCloseTo(0.2366, 3)
    // Fisher's lady tasting tea, all four right and three right.
    expect(fisher(4, 4, 0, 4)).toBeCloseTo(1 / 70, 6)
    expect(fisher(3, 4, 1, 4)).toBeCloseTo(17 / 70, 6)
  })

  it('take a noisy place for different only beyond its noise', () => {
    const judged = (differed: number, noisy: number) => {
      const tally = createTally(createMask())
      const one = [{ path: '$.n', kind: 'value' as const, left: 1, right: 2 }]
      for (let time = 0; time < 60; time++) {
        tally.compared('get', time < differed ? one : [], origin)
        tally.askedTwice('get', time < noisy ? one : [])
      }
      const { real, noise, doubtful } = tally.judge()
      return [real.length, noise.length, doubtful.length]
    }
    expect(judged(30, 28)).toEqual([0, 1, 0])
    expect(judged(40, 5)).toEqual([1, 0, 0])
    expect(judged(1, 0)).toEqual([0, 0, 1])
    expect(judged(30, 0)).toEqual([1, 0, 0])
  })

  it('excuse a difference by noise no oftener than the noise explains, and none of a place that is not counted', () => {
    const at = (path: string) => [{ path, kind: 'value' as const, left: 1, right: 2 }]
    const isNoise = (differed: number, noisy: number, placesAtMost = 2) => {
      const tally = createTally(createMask(), placesAtMost)
      tally.compared('get', at('$.first'), origin)
      for (let time = 0; time < 60; time++) {
        tally.compared('get', time < differed ? at('$.n') : [], origin)
        tally.askedTwice('get', time < noisy ? at('$.n') : [])
      }
      return tally.isNoise('get', at('$.n')[0]!)
    }
    expect([isNoise(30, 28), isNoise(40, 5), isNoise(1, 0), isNoise(30, 28, 1)]).toEqual([true, false, false, false])
  })
})
