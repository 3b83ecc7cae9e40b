import { describe, expect, it } from 'vitest'
import { linesOf } from './lines.ts'
import { createMask } from './mask.ts'

const UUID = '52ff37dd-a765-4033-ad66-642ed646d407'
const DIGITS_ALONE = '11111111-2222-4333-8444-555555555555'

describe('an id that is no secret stays to be read', () => {
  it.each([
    `/orders/${UUID}`,
    `/orders/${DIGITS_ALONE}`,
    `/orders/OrderPlaced/order-${UUID}`,
    `/orders/OrderPlaced/order-${DIGITS_ALONE}`,
    '/api/orders/3456789012345/shipment',
    '/api/orders/9007199254740991',
  ])('in the line of a request: %s', (path) => {
    const line = `POST ${path} {"orderId":"${UUID}","lineId":1764486508123}`
    expect(linesOf([{ method: 'POST', path, body: { orderId: UUID, lineId: 1764486508123 } }])).toEqual([line])
  })
})

describe('what has the form of an id is hidden', () => {
  const strict = createMask([], { strict: true })
  it.each(['session', 'sid', 'key', 'token', 'password', 'refresh-token', 'api_key', 'sk'])('behind %s', (of) => {
    for (const id of [UUID, DIGITS_ALONE])
      for (const joined of ['-', '_']) expect(strict.text(`/things/${of}${joined}${id}`)).not.toContain(id)
  })

  it('where a name tells that it is a secret', () => {
    const [line] = linesOf([{ method: 'POST', path: `/resets?token=${UUID}`, body: { password: DIGITS_ALONE } }])
    expect(line).not.toMatch(new RegExp(`${UUID}|${DIGITS_ALONE}`))
  })

  it('where it is not alone', () => {
    expect(strict.text(`${UUID}-${UUID}`)).not.toContain(UUID)
    expect(strict.text(`a1${UUID}`)).not.toContain(UUID)
  })
})

it('hides a card number in the path and the body of a request, with or without a name that tells', () => {
  const path = '/api/cards/4111111111111111'
  const [line] = linesOf([{ method: 'POST', path, body: { note: '5555 5555 5555 4444', card: '4111111111111112' } }])
  expect(line).not.toMatch(/4111|5555/)
})

it('takes what a name calls a card for one, whatever its digits add up to: a replay puts a card number in its place', () => {
  const mask = createMask([], { write: (kind) => `‹${kind}›` })
  expect(mask.value({ card: '4111111111111112', other: '4111111111111112' })).toEqual({
    card: '‹card›',
    other: '4111111111111112',
  })
})

it('hides a token with whatever stands before it, and however long its parts are', () => {
  const mask = createMask()
  for (const before of ['', 'a.b.', 'id ', 'x-', 'x-y-', 'eyJ.', 'of:'])
    expect(mask.text(`${before}eyJhbGci.eyJzdWIi.c2ln`)).not.toMatch(/hbGci|zdWIi|c2ln/)
  const long = `eyJ${'a'.repeat(9_000)}`
  expect(mask.text(`${long}.${long}.${long}`)).not.toContain('aaa')
  for (const none of ['eyJhbGci.eyJzdWIi', 'eyJ.a.b', 'keyJar.is.open', 'a.eyJ.b.c']) expect(mask.text(none)).toBe(none)
})

/** Milliseconds; the processor time of a thread is told in steps as long as what is measured here. */
function costOf(act: () => void): number {
  const before = performance.now()
  act()
  return performance.now() - before
}

const PARTS = ['x', 'a.', 'a-', 'token', 'token ', 'eyJ-', 'eyJ.', 'eyJa.a.', '1 ', '1-', 'a@', 'a@b.', '+1-', 'sk-']
const LONG_PARTS = ['Bearer ', 'password=', '-----BEGIN', '-----BEGIN x-----END', '$argon2', 'AA11 ', '{"a":']

it.each([...PARTS, ...LONG_PARTS])('takes no longer for a long text of %s than for many short ones', (part) => {
  const mask = createMask([], { strict: true })
  const ofLength = (length: number) => part.repeat(Math.ceil(length / part.length)).slice(0, length)
  const [short, long] = [ofLength(256), ofLength(65_536)]
  const many = () => {
    for (let time = 0; time < 256; time++) mask.text(short)
  }
  many()
  // The least of each: what else the machine does for a moment is not of the text.
  let [ofMany, ofLong] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let round = 0; round < 5; round++) {
    ofMany = Math.min(ofMany, costOf(many))
    ofLong = Math.min(
      ofLong,
      costOf(() => mask.text(long)),
    )
  }
  // Looking through the rest of the text from each of its letters takes up to 256 times as long, so much longer is the
  // text; the middle of that and of none tells the two apart.
  expect(ofLong).toBeLessThan(16 * ofMany)
})
