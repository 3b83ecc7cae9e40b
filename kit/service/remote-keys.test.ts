import { generateKeyPairSync } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beforeEach, expect, it, vi } from 'vitest'
import { createTokenSigner, createTokenVerifier } from './tokens.ts'

const expected = { issuer: 'shop', audience: 'shop', typ: 'at+jwt' }
const MINUTE = 60_000
const keyOf = (kid: string) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    publicJwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256' },
    signer: createTokenSigner({
      ...expected,
      privateJwk: { ...privateKey.export({ format: 'jwk' }), kid },
      ttlSeconds: 7 * 86_400,
    }),
  }
}
const [one, two] = [keyOf('one'), keyOf('two')]
let tokens = 0
/** Each of its own: one that was seen needs no key. */
const tokenOf = (key: typeof one) => key.signer.sign({ sub: '7', jti: String(tokens++) })
const UNAVAILABLE = { status: 503, code: 'keys-unavailable' }

let published = [one]
let answers: 'well' | 'badly' | 'never' = 'well'
let asked = 0
let waiting: ServerResponse[] = []
let failures: unknown[] = []
const tell = (res: ServerResponse) => res.end(JSON.stringify({ keys: published.map(({ publicJwk }) => publicJwk) }))
let verify: (key: typeof one) => Promise<string>

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] })
  published = [one]
  answers = 'well'
  asked = 0
  waiting = []
  const server = createServer((_req, res) => {
    asked += 1
    if (answers === 'never') waiting.push(res)
    else if (answers === 'badly') res.writeHead(503).end()
    else tell(res)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`
  failures = []
  const verifier = createTokenVerifier({ ...expected, jwksUrl, onFailed: (cause) => failures.push(cause) })
  verify = async (key) => (await verifier.verify(await tokenOf(key))).sub!
  return () => {
    vi.useRealTimers()
    server.close()
    server.closeAllConnections()
  }
})
const later = (ms: number) => vi.advanceTimersByTime(ms)
const all = async (of: Promise<string>[]) => (await Promise.allSettled(of)).map(({ status }) => status)

it('keys serve on for a day while they cannot be fetched, and no longer', async () => {
  expect(await verify(one)).toBe('7')
  answers = 'badly'
  for (const hours of [0.2, 1, 12, 10.7]) {
    later(hours * 60 * MINUTE)
    expect(await verify(one)).toBe('7')
    await vi.waitFor(() => expect(failures).toHaveLength(asked - 1))
  }
  expect(failures.length).toBeGreaterThan(0)
  later(7 * MINUTE)
  await expect(verify(one)).rejects.toMatchObject(UNAVAILABLE)
  answers = 'well'
  later(6_000)
  expect(await verify(one)).toBe('7')
})

it('keys of ten minutes are fetched anew once, behind the requests, which wait for nothing', async () => {
  await verify(one)
  published = [two]
  answers = 'never'
  later(11 * MINUTE)
  expect(await all(Array.from({ length: 5 }, () => verify(one)))).toEqual(Array(5).fill('fulfilled'))
  await vi.waitFor(() => expect(waiting).toHaveLength(1))
  tell(waiting[0]!)
  await vi.waitFor(() => expect(verify(one)).rejects.toMatchObject({ status: 401 }))
  expect([await verify(two), asked]).toEqual(['7', 2])
})

it('a key that was taken out while nobody asked is not good once more', async () => {
  await verify(one)
  published = [two]
  later(60 * MINUTE)
  await expect(verify(one)).rejects.toMatchObject({ status: 401 })
})

it('nor when the last fetch before had failed, for none of those who come then', async () => {
  await verify(one)
  answers = 'badly'
  later(11 * MINUTE)
  await verify(one)
  await vi.waitFor(() => expect(failures).toHaveLength(1))
  answers = 'well'
  published = [two]
  later(12 * 60 * MINUTE)
  expect(await all(Array.from({ length: 3 }, () => verify(one)))).toEqual(Array(3).fill('rejected'))
  expect(asked).toBe(3)
})

it('an unknown key is asked for once by all who wait, and by nobody for a moment after that failed', async () => {
  await verify(one)
  later(MINUTE)
  answers = 'badly'
  published = [one, two]
  expect(await all(Array.from({ length: 5 }, () => verify(two)))).toEqual(Array(5).fill('rejected'))
  await expect(verify(two)).rejects.toMatchObject(UNAVAILABLE)
  expect([await verify(one), asked]).toEqual(['7', 2])
  answers = 'well'
  later(2_000)
  expect([await verify(two), asked]).toEqual(['7', 3])
})

it('a URL that hangs is waited for by those who came meanwhile, not by each in turn', async () => {
  answers = 'never'
  const first = verify(one)
  await vi.waitFor(() => expect(waiting).toHaveLength(1))
  later(5_000)
  waiting[0]!.destroy()
  await expect(first).rejects.toMatchObject(UNAVAILABLE)
  later(4_000)
  await expect(verify(one)).rejects.toMatchObject(UNAVAILABLE)
  expect(asked).toBe(1)
  answers = 'well'
  later(1_500)
  expect(await verify(one)).toBe('7')
})
