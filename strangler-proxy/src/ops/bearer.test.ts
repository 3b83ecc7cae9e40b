import { createLogger } from '@banyan/kit/service'
import type { Request, Response } from 'express'
import { expect, it, vi } from 'vitest'
import { createAddressOf } from './address.ts'
import { requireBearer } from './bearer.ts'

const TOKEN = 'a token of the operators'

function start() {
  const clock = { now: 0 }
  const logger = createLogger({ name: 'bearer under test', level: 'silent' })
  const warn = vi.spyOn(logger, 'warn')
  const allow = requireBearer(TOKEN, { addressOf: createAddressOf(1), logger, now: () => clock.now })
  /** What becomes of a request: what it is refused with, and how long it has to wait, or `passed`. */
  const ask = (from: string, authorization?: string) => {
    const headers: Record<string, string> = { 'x-forwarded-for': from, ...(authorization ? { authorization } : {}) }
    const req = { headers, get: (name: string) => headers[name], socket: { remoteAddress: '10.0.0.1' } }
    let became = 'nothing'
    try {
      allow(req as never as Request, {} as Response, () => {
        became = 'passed'
      })
    } catch (error) {
      const { status, code, headers = {} } = error as { status: number; code: string; headers?: Record<string, string> }
      became = [status, code, headers['Retry-After']].filter(Boolean).join(' ')
    }
    return became
  }
  return { ask, clock, warn }
}

it('a wrong token slows down its address for wrong ones, and the right one never', () => {
  const { ask, clock } = start()
  expect(ask('198.51.100.1', 'Bearer wrong')).toBe('401 unauthorized')
  expect(ask('198.51.100.1', 'Bearer another')).toBe('429 too-soon 1')
  expect(ask('198.51.100.1', `Bearer ${TOKEN}`)).toBe('passed')
  expect(ask('198.51.100.1', 'Bearer another')).toBe('429 too-soon 1')
  expect(ask('198.51.100.2', 'Bearer wrong')).toBe('401 unauthorized')
  clock.now = 500
  expect(ask('198.51.100.1', 'Bearer another')).toBe('401 unauthorized')
})

it('the wait doubles up to five seconds', () => {
  const { ask, clock } = start()
  const waits: string[] = []
  for (let guess = 0; guess < 6; guess += 1) {
    expect(ask('198.51.100.1', 'Bearer wrong')).toBe('401 unauthorized')
    waits.push(ask('198.51.100.1', 'Bearer wrong').split(' ').at(-1)!)
    clock.now += 5_000
  }
  expect(waits).toEqual(['1', '1', '2', '4', '5', '5'])
})

it('right tokens beside each other do not wait for each other', () => {
  const { ask } = start()
  expect(Array.from({ length: 5 }, () => ask('198.51.100.1', `Bearer ${TOKEN}`))).toEqual(Array(5).fill('passed'))
})

it('a request without a token has guessed nothing: it slows down nobody and is not logged', () => {
  const { ask, warn } = start()
  expect(ask('198.51.100.1')).toBe('401 unauthorized')
  expect(ask('198.51.100.1', `Bearer ${TOKEN}`)).toBe('passed')
  expect(warn).not.toHaveBeenCalled()
})

it('a wrong token is logged by its address, and never itself', () => {
  const { ask, warn } = start()
  ask('198.51.100.1', 'Bearer mistyped secret')
  ask('198.51.100.1', 'Bearer mistyped secret')
  expect(warn.mock.calls.map(([line]) => line)).toEqual([
    { address: '198.51.100.1' },
    { address: '198.51.100.1', waitMs: 500 },
  ])
  expect(JSON.stringify(warn.mock.calls)).not.toContain('mistyped')
})
