import { describe, expect, it } from 'vitest'
import type { Answer } from './attempt.ts'
import {
  Ambiguous,
  type Call,
  type Caller,
  createRemoteCall,
  NotSent,
  nowhere,
  type RemoteRequest,
  Timeout,
} from './index.ts'

const about = { callee: 'stock-service', method: 'POST', path: '/x' }
const asked: Call[] = []

const calling = (outcome: Answer | Error, request: RemoteRequest = { path: '/x', idempotencyKey: 'k' }) => {
  const caller: Caller = {
    async call(call) {
      asked.push(call)
      if (outcome instanceof Error) throw outcome
      return outcome
    },
    close: async () => undefined,
  }
  return createRemoteCall({ context: 'stock', caller })<unknown>('take', request)
}
const answer = (status: number, body: unknown, headers: Answer['headers'] = {}): Answer => ({ status, body, headers })
const problemOf = (status: number, more: object = {}) => ({ type: 't', title: 't', status, code: 'sold-out', ...more })

describe('a call to the service that has a context', () => {
  it('gives the body of an answer of success, and asks for it with a deadline', async () => {
    expect(await calling(answer(200, { left: 3 }))).toEqual({ left: 3 })
    expect(asked.at(-1)).toEqual({ method: 'POST', path: '/x', idempotencyKey: 'k', deadlineMs: 2_000 })
  })

  it('throws a problem of the service as one of this process, with its members', async () => {
    const body = problemOf(409, { detail: 'none left', instance: '/x', traceId: 'f', lines: [1] })
    await expect(calling(answer(409, body))).rejects.toMatchObject({
      ...{ status: 409, code: 'sold-out', detail: 'none left', headers: {}, members: { lines: [1] } },
    })
  })

  it.each([
    [421, 'not-owner'],
    [503, 'fenced'],
  ])('passes a refusal on as it is: %i %s', async (status, reason) => {
    const refused = answer(status, problemOf(status), { 'banyan-refused': reason, 'retry-after': '1' })
    await expect(calling(refused)).rejects.toMatchObject({
      status,
      headers: { 'Banyan-Refused': reason, 'Retry-After': '1' },
    })
  })

  it.each<[string, Answer]>([
    ['a token of this process that it does not accept', answer(401, problemOf(401))],
    ['a right that this process lacks', answer(403, problemOf(403))],
    ['its own failure', answer(500, problemOf(500))],
    ['a 503 that promises nothing', answer(503, problemOf(503))],
    ['something that is no problem', answer(404, '<html>')],
  ])('does not blame the client for %s', async (_, given) => {
    await expect(calling(given)).rejects.toMatchObject({ status: 503, code: 'stock-unreachable', members: {} })
  })

  it('says whether a call without an answer may have been done', async () => {
    const codes = await Promise.all(
      [new NotSent(about, 'unreachable'), new Ambiguous(about, 'cut'), new Timeout(about, 1)].map((error) =>
        calling(error).catch(({ status, code, cause }) => [status, code, cause === error]),
      ),
    )
    expect(codes).toEqual([
      [503, 'stock-unreachable', true],
      [504, 'stock-unclear', true],
      [504, 'stock-unclear', true],
    ])
  })

  it('says of an answer of 504 that it may have been done', async () => {
    await expect(calling(answer(504, problemOf(504)))).rejects.toMatchObject({ status: 504, code: 'stock-unclear' })
  })

  it('waits longer for a read, whatever its method, and says that nothing was done', async () => {
    const reads = [
      { method: 'GET', path: '/x' },
      { path: '/x', idempotencyKey: 'k', read: true },
    ]
    for (const read of reads)
      for (const outcome of [new Timeout(about, 1), new Ambiguous(about, 'cut'), answer(504, problemOf(504))]) {
        await expect(calling(outcome, read)).rejects.toMatchObject({ status: 503, code: 'stock-unreachable' })
        expect(asked.at(-1)).toMatchObject({ deadlineMs: 5_000 })
        expect(asked.at(-1)).not.toHaveProperty('read')
      }
  })

  it('throws what is no failure of a call as it is', async () => {
    const error = new RangeError('a mistake')
    await expect(calling(error)).rejects.toBe(error)
  })

  it('names the variable where nobody said where the service is', async () => {
    await expect(nowhere('stock', 'STOCK_URL')()).rejects.toMatchObject({
      ...{ status: 503, code: 'stock-unreachable', detail: expect.stringContaining('STOCK_URL') },
    })
  })
})
