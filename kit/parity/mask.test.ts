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

it.each(['x', 'a.', 'a-', 'token', 'eyJ-', '1 ', 'a@'])(
  'takes no longer for a long word of %s than for others',
  (part) => {
    const mask = createMask([], { strict: true })
    const before = process.cpuUsage()
    mask.text(part.repeat(65_536 / part.length))
    // Looking through the rest of the word from each of its letters takes many times as long.
    expect(process.cpuUsage(before).user).toBeLessThan(1_500_000)
  },
)
