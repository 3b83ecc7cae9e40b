import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sendRaw } from '../test-support/raw.ts'
import { startProxy, type TestProxy } from '../test-support/start-proxy.ts'
import { startUpstream, type TestUpstream } from '../test-support/upstream.ts'
import { isReserved, readEagerly } from './reserved.ts'
import { parseRoutes } from './routes/parse.ts'
import { normaliseTarget } from './target.ts'

const ROUTES = `
contexts: { goods: goods-service }
identity: { strip: [x-tenant-*, ssn], keep: [x-auth-token] }
routes:
  - { method: [GET, POST], path: /api/goods, context: goods, access: read }
`
let proxy: TestProxy
let monolith: TestUpstream
beforeAll(async () => {
  monolith = await startUpstream('monolith')
  proxy = await startProxy({ routes: ROUTES, monolith: monolith.url })
})
beforeEach(() => {
  monolith.seen.length = 0
})
afterAll(async () => {
  await proxy.close()
  await monolith.close()
})
const send = (request: string) => sendRaw(proxy.port, request, 3_000)
const get = (target: string, headers = '') =>
  send(`GET ${target} HTTP/1.1\r\nHost: s\r\n${headers}Connection: close\r\n\r\n`)
const statuses = (answers: string) => [...answers.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))

/** Whether a header of an upstream would make somebody of its sender, with whatever sign a server reads as a hyphen. */
const forged = (names: readonly string[]) =>
  names.map((name) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-')).filter((name) => /^x-user|^x-tenant/.test(name))

describe('a forged identity never reaches the upstream', () => {
  it.each([
    'X-User-Id: 1',
    'x_user_id: 1',
    'x-user_id: 1',
    'X.User.Id: 1',
    'X-User~Id: 1',
    "X-User'Id: 1",
    'x!user!id: 1',
    'X-USER-ID:1',
    'X-User-Id:\t1',
    'X-Tenant-Id: 7',
    'X_Tenant_Id: 7',
    'X-Tenant-: 7',
    'Connection: x-user-id\r\nX-User-Id: 1',
    'Connection: close, X-Tenant-Id\r\nX-Tenant-Id: 1',
  ])('as %j', async (lines) => {
    await get('/api/goods', `${lines}\r\n`)
    expect(monolith.seen).toHaveLength(1)
    expect(forged(Object.keys(monolith.seen[0]!.headers))).toEqual([])
  })

  it.each([
    ['X-User-Id : 1\r\n', 'a blank before the colon'],
    [' X-User-Id: 1\r\n', 'a folded line at the beginning'],
    ['X-A: 1\r\n X-User-Id: 1\r\n', 'a folded line'],
    ['X-A: 1\r\n\tX-User-Id: 1\r\n', 'a line folded by a tab'],
    ['X-A: 1\nX-User-Id: 1\r\n', 'a bare line feed'],
    ['X-A: 1\rX-User-Id: 1\r\n', 'a bare carriage return'],
    ['X-A: 1\0X-User-Id: 1\r\n', 'a zero byte'],
    [': x\r\nX-A: 1\r\n', 'no name'],
  ])('%j (%s) is a 400', async (lines) => {
    expect(statuses(await get('/api/goods', lines))).toEqual([400])
    expect(monolith.seen).toEqual([])
  })

  it('as the trailer of a chunked body', async () => {
    const answer = await send(
      'POST /api/goods HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\nTrailer: X-User-Id\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\nX-User-Id: 1\r\n\r\n',
    )
    expect(statuses(answer)).toEqual([200])
    expect(monolith.seen.map((one) => one.body)).toEqual(['ok'])
    expect(forged(monolith.seen[0]!.rawHeaders)).toEqual([])
    expect(monolith.seen[0]!.headers.trailer).toBeUndefined()
  })

  it('but a header that the table leaves to clients does, and what is named by nobody', async () => {
    await get('/api/goods', 'X-Auth-Token: mine\r\nX-Auth-User: root\r\nSSN: 1\r\nX-Colour: red\r\n')
    const { headers } = monolith.seen[0]!
    expect(headers).toMatchObject({ 'x-auth-token': 'mine', 'x-colour': 'red' })
    expect(headers['x-auth-user'] ?? headers.ssn).toBeUndefined()
  })
})

describe('a body that two servers could end in two places', () => {
  const NEXT = 'GET /internal HTTP/1.1\r\nHost: s\r\nX-User-Id: 1\r\nConnection: close\r\n\r\n'
  const post = (headers: string, body: string) => send(`POST /api/goods HTTP/1.1\r\nHost: s\r\n${headers}\r\n${body}`)

  it.each([
    ['CL.TE', 'Content-Length: 6\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\nG'],
    ['TE.CL', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', `5c\r\n${NEXT}0\r\n\r\n`],
    ['TE.TE', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n', `0\r\n\r\n${NEXT}`],
    ['a coding with a blank', 'Transfer-Encoding : chunked\r\n', `0\r\n\r\n${NEXT}`],
    ['a coding in quotes', 'Transfer-Encoding: "chunked"\r\n', `0\r\n\r\n${NEXT}`],
    ['a coding after a tab of its own line', 'Transfer-Encoding:\r\n\tchunked\r\n', `0\r\n\r\n${NEXT}`],
    ['two equal lengths', 'Content-Length: 2\r\nContent-Length: 2\r\n', `ok${NEXT}`],
    ['two lengths', 'Content-Length: 2\r\nContent-Length: 60\r\n', `ok${NEXT}`],
    ['a length with a sign', 'Content-Length: +2\r\n', `ok${NEXT}`],
    ['a length in hexadecimal', 'Content-Length: 0x2\r\n', `ok${NEXT}`],
    ['a chunk whose size is no number', 'Transfer-Encoding: chunked\r\n', `0x2\r\nok\r\n0\r\n\r\n${NEXT}`],
    ['a chunk whose size ends in a line feed', 'Transfer-Encoding: chunked\r\n', `2\nok\r\n0\r\n\r\n${NEXT}`],
    ['a chunk that is longer than it says', 'Transfer-Encoding: chunked\r\n', `1\r\nok\r\n0\r\n\r\n${NEXT}`],
  ])('%s: refused, and nothing after it is read as a request', async (_what, headers, body) => {
    const answered = statuses(await post(headers, body))
    // A chunk is read after the request has set out, whose connection is then cut.
    expect(answered.filter((status) => status !== 400)).toEqual([])
    expect(answered.length).toBeLessThan(2)
    expect(monolith.seen).toEqual([])
  })

  it('is one where a request follows in the same bytes: it is a request of its own, judged like any', async () => {
    const answered = statuses(await post('Content-Length: 2\r\n', `ok${NEXT}`))
    expect(answered).toEqual([200, 404])
    expect(monolith.seen.map((one) => [one.method, one.body])).toEqual([['POST', 'ok']])
  })

  it('a chunk extension is read by nobody', async () => {
    const answer = await post('Transfer-Encoding: chunked\r\nConnection: close\r\n', '2;a="b"\r\nok\r\n0\r\n\r\n')
    expect(statuses(answer)).toEqual([200])
    expect(monolith.seen.map((one) => one.body)).toEqual(['ok'])
  })
})

describe('what the public has no business with', () => {
  it.each([
    ['/internal;x', 400],
    ['/internal;x=1/reservations', 400],
    ['/;x/internal', 400],
    ['/api/goods;x', 400],
    ['/internal%3Bx', 404],
    ['/%69nternal', 404],
    ['/%2569nternal', 404],
    ['/%252569nternal/x', 404],
    ['/x/%252e%252e/internal', 400],
    ['/x/..%3B/internal', 400],
    ['/x/%2e%2e;/internal', 400],
    ['/x/..%20/internal', 400],
    ['/internal%20', 404],
    ['/internal.', 404],
    ['/internal.%20./x', 404],
    ['/%20internal', 404],
    ['/%EF%BD%89nternal', 404],
    ['/metric%C5%BF', 404],
    ['/%C0%AFinternal', 400],
    ['/x%C0%AE%C0%AE/internal', 400],
    ['/internal?x', 404],
    ['/metrics%3Fx', 404],
    ['/metrics%253Fx', 404],
    ['/health%23x', 404],
    ['/internal%255Creservations', 400],
    ['/inter%250Anal', 400],
    ['/metrics%2500', 400],
    ['/METRICS/', 404],
    ['/health/ready', 404],
    ['http://s/internal', 400],
    ['HTTP://internal/', 400],
    ['//internal', 400],
    ['/.//internal', 400],
    ['/./internal', 400],
    ['\\internal', 400],
    ['/\\internal', 400],
    ['/x/%5c../internal', 400],
    ['internal', 400],
    ['?/internal', 400],
  ])('%s: %i, and the upstream sees nothing', async (target, status) => {
    expect(statuses(await get(target))).toEqual([status])
    expect(monolith.seen).toEqual([])
  })

  it('names that only begin alike, and texts with a percent sign, go on as they are', async () => {
    for (const target of ['/internals', '/healthy', '/x/internal', '/sale/100%25', '/sale/50%25ab', '/%C3%A9t%C3%A9'])
      expect(statuses(await get(target))).toEqual([200])
    expect(monolith.seen.map((one) => one.url)).toContain('/sale/50%25ab')
  })

  it('however a name is spelt, an eager upstream finds none of them', () => {
    const letter = fc.constantFrom(...'internalhtmcs'.split(''))
    const spelt = fc.tuple(letter, fc.integer({ min: 0, max: 3 }), fc.boolean()).map(([char, depth, upper]) => {
      const hex = (upper ? char.toUpperCase() : char).charCodeAt(0).toString(16)
      return depth === 0 ? char : `%${'25'.repeat(depth - 1)}${hex}`
    })
    const piece = fc.oneof(
      spelt,
      fc.constantFrom('/', '.', '..', ';', '%2f', '%2e', '%252e', '%3b', '%5c', '%20', 'internal', 'x', '%69nternal'),
      fc.constantFrom('%3f', '%253f', '%23', '%255c', '%250a', '%2509', '%2500'),
    )
    /** As a server reads that undoes all escapes, looks for the query after that, drops parameters and what is no text or
     * a dot at the end, and walks dot segments. */
    const eager = (url: string) => {
      const walked: string[] = []
      const read = (readEagerly(url) ?? '').split(/[?#\0]/)[0]!.replaceAll(/[\t\n\r]/g, '')
      for (const segment of read.replaceAll('\\', '/').split('/')) {
        const name = segment.split(';')[0]!.trim()
        if (name === '..') walked.pop()
        else if (name !== '' && name !== '.') walked.push(name.replace(/[. ]+$/, '').toLowerCase())
      }
      return walked[0] ?? ''
    }
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const target = normaliseTarget(`/${pieces.join('')}`)
        if (target.ok && !isReserved(target.path)) expect(eager(target.url)).not.toMatch(/^(internal|metrics|health)$/)
      }),
      { numRuns: 20_000 },
    )
  })
})

describe('the headers a table names', () => {
  const faults = (identity: string) => {
    try {
      parseRoutes(`${ROUTES.replace(/identity: .*/, `identity: ${identity}`)}`, 'routes.yaml')
      return ''
    } catch (error) {
      return (error as Error).message
    }
  }
  it.each([
    ['{ strip: [content-*] }', '"content-*" would take "content-length" from every request'],
    ['{ strip: [cookie] }', '"cookie" would take "cookie"'],
    ['{ strip: [x-user-id] }', '"x-user-id" is taken from clients in any case'],
    ['{ strip: [X-Tenant] }', 'must be a header in lower case'],
    ['{ keep: [x-auth-*] }', 'would keep headers that nobody has thought of'],
    ['{ keep: [banyan-side] }', '"banyan-side" belongs to the hop or to the proxy'],
    ['{ keep: [x-colour] }', 'nothing takes "x-colour" away'],
  ])('%s is refused with line and remedy', (identity, message) => {
    expect(faults(identity)).toMatch(/^routes\.yaml:3: /)
    expect(faults(identity)).toContain(message)
    expect(faults(identity)).toContain('. Remedy: ')
  })
  it('may be none, or beginnings', () => {
    expect(faults('{ strip: [x-tenant-*, ssn], keep: [x-auth-token, x-tenant-hint] }')).toBe('')
  })
})
