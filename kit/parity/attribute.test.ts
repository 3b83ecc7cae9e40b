import { describe, expect, it } from 'vitest'
import { isNothing } from './attribute.ts'
import { observe } from './observation.ts'
import { createOperations } from './operations.ts'
import { createRunner } from './run.ts'
import type { Side } from './side.ts'
import type { Sequence } from './step.ts'

const operations = createOperations([
  { operationId: 'add', method: 'POST', path: '/items' },
  { operationId: 'get', method: 'GET', path: '/items' },
  { operationId: 'list', method: 'GET', path: '/lists' },
])
const POST = { method: 'POST', path: '/items' }
const GET = { method: 'GET', path: '/items' }
const LIST = { method: 'GET', path: '/lists' }

/** @param does how many rows each request leaves; with the time it is asked this */
function sideOf(name: string, does: (asked: string, time: number) => number): Side & { looks: () => number } {
  const times = new Map<string, number>()
  let [rows, looks] = [0, 0]
  return {
    name,
    looks: () => looks,
    async ask({ method, path }) {
      const asked = `${method} ${path}`
      const time = times.get(asked) ?? 0
      times.set(asked, time + 1)
      rows += does(asked, time)
      return observe(200, {}, '')
    },
    effects: {
      begin: async () => {
        rows = 0
      },
      async collect() {
        looks++
        const added = rows
        rows = 0
        return { rows: { log: { changed: [], added, deleted: [] } }, events: [] }
      },
      close: async () => undefined,
    },
    close: async () => undefined,
  }
}

const writes = (asked: string) => (asked.startsWith('POST') ? 1 : 0)

/** What is found, as `operation place at its step`. */
async function found(sides: { left: Side; right: Side; twin?: Side }, steps: Sequence['steps'], times = 1) {
  const runner = createRunner({ ...sides, rules: [], operations, seed: 1, today: '2026-01-01' })
  await runner.run(Array.from({ length: times }, (_, at) => ({ name: `s ${at}`, kind: 'generated' as const, steps })))
  await runner.settle()
  const { real, doubtful, noise, requests } = runner.result()
  const said = (findings: typeof real) =>
    findings.map(({ operation, at, origin }) => `${operation} ${at} at ${origin.step}`)
  const often = noise.map(({ noisy }) => noisy)
  return { real: said(real), doubtful: said(doubtful), noise: said(noise), often, requests }
}

describe('what is done besides answering', () => {
  it('is put down to a read that does it on one side only, not to the write after it', async () => {
    const right = sideOf('right', (asked) => (asked === 'GET /items' ? 1 : writes(asked)))
    expect(await found({ left: sideOf('left', writes), right }, [POST, LIST, GET, LIST, POST])).toMatchObject({
      real: ['get $.rows.log.added at 2'],
      doubtful: [],
    })
  })

  it('is put down to that read also where another read ends the sequence', async () => {
    const right = sideOf('right', (asked) => (asked === 'GET /items' ? 1 : 0))
    expect((await found({ left: sideOf('left', () => 0), right }, [GET, LIST])).real).toEqual([
      'get $.rows.log.added at 0',
    ])
  })

  it('stays with the write that does it, whatever was read before', async () => {
    const right = sideOf('right', (asked) => writes(asked) * 2)
    expect(await found({ left: sideOf('left', writes), right }, [LIST, POST])).toMatchObject({
      real: ['add $.rows.log.added at 1'],
    })
  })

  it('stays with the write also when it does not come back', async () => {
    const right = sideOf('right', (asked, time) => writes(asked) * (time === 0 ? 2 : 1))
    expect((await found({ left: sideOf('left', writes), right }, [LIST, POST])).real).toEqual([
      'add $.rows.log.added at 1',
    ])
  })

  it('is no difference when a read does it on both sides, though one of them is asked twice', async () => {
    const [left, right] = [sideOf('left', () => 1), sideOf('right', () => 1)]
    expect(await found({ left, right }, [LIST, POST], 20)).toMatchObject({ real: [], doubtful: [], noise: [] })
  })

  it('is noise of the read when it varies of one side alone', async () => {
    const more = (asked: string) => (asked === 'GET /lists' ? 1 : writes(asked))
    const sides = { left: sideOf('left', writes), right: sideOf('right', more), twin: sideOf('twin', more) }
    const { real, noise, often } = await found(sides, [LIST, POST], 30)
    expect({ real, noise, often }).toEqual({ real: [], noise: ['list $.rows.log.added at 0'], often: [30] })
  })

  it('is looked at by itself once a read was seen to do it, also where the next time something else differs', async () => {
    const left = sideOf('left', () => 1)
    const right = sideOf('right', (asked, time) => (asked === 'POST /items' && time === 2 ? 2 : 1))
    expect(await found({ left, right }, [LIST, POST], 3)).toMatchObject({
      real: ['add $.rows.log.added at 1'],
      doubtful: [],
    })
    expect(right.looks()).toBe(1 + 2 + 2 * 2)
  })

  it('is looked at after a read of which a scenario expects it', async () => {
    const [left, right] = [sideOf('left', writes), sideOf('right', writes)]
    const runner = createRunner({ left, right, rules: [], operations, seed: 1, today: '2026-01-01' })
    const steps = [
      POST,
      { ...GET, expect: { 'rows.log.added': 0 } },
      { ...LIST, capture: { n: '$.rows.log.added' } },
      POST,
    ]
    await runner.run([{ name: 's', kind: 'scenario', steps }])
    expect(runner.result().unmet).toEqual([])
  })

  it('is looked at once for each write and at the end, as long as nothing differs', async () => {
    const [left, right] = [sideOf('left', writes), sideOf('right', writes)]
    expect((await found({ left, right }, [LIST, GET, POST, LIST, GET, POST])).requests).toBe(16)
    expect(right.looks()).toBe(2)
  })

  it('is not looked at anew where it always differs and the reads before it did nothing', async () => {
    const [left, right] = [sideOf('left', writes), sideOf('right', (asked) => writes(asked) * 2)]
    expect((await found({ left, right }, [LIST, GET, POST], 20)).real).toEqual(['add $.rows.log.added at 2'])
    expect(right.looks()).toBe(20 + 3)
    // Another read may not be as innocent.
    const other = sideOf('right', (asked) => (asked === 'GET /items' ? 1 : writes(asked) * 2))
    const runner = createRunner({ left, right: other, rules: [], operations, seed: 1, today: '2026-01-01' })
    const of = (steps: Sequence['steps']) => [{ name: 's', kind: 'generated' as const, steps }]
    for (const steps of [
      [LIST, POST],
      [LIST, POST],
      [LIST, GET, POST],
    ])
      await runner.run(of(steps))
    await runner.settle()
    expect(runner.result().real.map(({ operation }) => operation)).toEqual(['add', 'get'])
  })
})

it('nothing is done where no row, no key and no event is left', () => {
  expect(isNothing({ rows: { a: { changed: [], added: 0, deleted: [] } }, events: [] })).toBe(true)
  expect(isNothing({})).toBe(true)
  expect(isNothing({ rows: { a: { changed: [], added: -1, deleted: [] } } })).toBe(false)
  expect(isNothing({ rows: { a: { changed: [{ id: 7 }], added: 0, deleted: [] } } })).toBe(false)
  expect(isNothing({ rows: {}, events: [{ type: 'ItemAdded' }] })).toBe(false)
})
