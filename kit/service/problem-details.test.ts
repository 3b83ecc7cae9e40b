import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Problem } from './problem.ts'
import { problemBody, toProblem } from './problem-details.ts'
import { isRefusal } from './refusal.ts'

const fence = (owner: string) =>
  Object.assign(new Error('fenced'), { code: 'BN001', detail: `context=inventory owner=${owner}` })

describe('toProblem', () => {
  it('turns the fence into 503 fenced while the context is moving', () => {
    const found = toProblem(fence('moving'), 'monolith')
    expect(found).toMatchObject({ status: 503, code: 'fenced', members: { context: 'inventory', owner: 'moving' } })
    expect(found.headers).toEqual({ 'Banyan-Refused': 'fenced', 'Retry-After': '1' })
  })

  it('turns the fence into 421 not-owner when the other side owns the context', () => {
    const found = toProblem(fence('service'), 'monolith')
    expect(found).toMatchObject({ status: 421, code: 'not-owner', headers: { 'Banyan-Refused': 'not-owner' } })
  })

  it('turns the fence into 503 fenced when the owner is this side, but closed', () => {
    expect(toProblem(fence('service'), 'service')).toMatchObject({ status: 503, code: 'fenced' })
  })

  it('finds the fence in the cause of a wrapped error', () => {
    expect(toProblem(new Error('insert failed', { cause: fence('moving') }))).toMatchObject({ code: 'fenced' })
  })

  it('names the fields that a Zod schema refuses', () => {
    const parsed = z
      .object({ items: z.array(z.object({ quantity: z.number() })) })
      .safeParse({ items: [{ quantity: 'x' }] })
    expect(toProblem(parsed.error)).toMatchObject({
      status: 422,
      code: 'invalid-request',
      members: { fields: [{ path: 'items.0.quantity', code: 'invalid_type' }] },
    })
  })

  it.each([
    [{ status: 400, type: 'entity.parse.failed' }, 400, 'malformed-json'],
    [{ status: 413, type: 'entity.too.large', limit: 102400 }, 413, 'body-too-large'],
    [{ status: 415, type: 'charset.unsupported' }, 415, 'unsupported-encoding'],
    [{ status: 400, message: 'Failed to decode param' }, 400, 'malformed-request'],
    [{ code: '40001' }, 503, 'busy'],
    [{ code: '40P01' }, 503, 'busy'],
    [{ code: 'ECONNREFUSED', syscall: 'connect' }, 503, 'database-unavailable'],
    [{ message: 'Connection terminated unexpectedly' }, 503, 'database-unavailable'],
    [{ name: 'KnexTimeoutError' }, 503, 'database-unavailable'],
    [{ code: '57P01' }, 503, 'database-unavailable'],
    [{ code: '08006' }, 503, 'database-unavailable'],
    [{ code: '23505' }, 500, 'internal-error'],
  ])('maps %o', (thrown, status, code) => {
    expect(toProblem(Object.assign(new Error('x'), thrown))).toMatchObject({ status, code })
  })

  it('lets nothing of an unexpected error out', () => {
    for (const thrown of [new Error('password=hush'), 'hush', null, undefined, { status: 999 }])
      expect(JSON.stringify(problemBody(toProblem(thrown), '/x'))).not.toContain('hush')
  })

  it('a busy database does not promise that nothing was done', () => {
    const { status, headers } = toProblem(Object.assign(new Error(), { code: '40001' }))
    expect(isRefusal({ status, headers })).toBe(false)
  })
})

describe('problemBody', () => {
  it('has the members of RFC 9457, which further members cannot overwrite', () => {
    const body = problemBody(new Problem(409, 'out-of-stock', 'None left.', { lines: [1], status: 200 }), '/api/orders')
    expect(body).toEqual({
      type: 'urn:banyan:problem:out-of-stock',
      title: 'Conflict',
      status: 409,
      code: 'out-of-stock',
      detail: 'None left.',
      instance: '/api/orders',
      lines: [1],
    })
  })
})

describe('isRefusal', () => {
  it('believes only the two statuses with their header', () => {
    expect(isRefusal({ status: 421, headers: { 'banyan-refused': 'not-owner' } })).toBe(true)
    expect(isRefusal({ status: 503, headers: { 'banyan-refused': 'fenced' } })).toBe(true)
    expect(isRefusal({ status: 503, headers: {} })).toBe(false)
    expect(isRefusal({ status: 200, headers: { 'banyan-refused': 'fenced' } })).toBe(false)
  })
})
