import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { errors, exportJWK, generateKeyPair, type JSONWebKeySet, type JWK, SignJWT } from 'jose'
import { afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createTokenCache } from './token-cache.ts'
import { createTokenSigner, createTokenVerifier, publicJwks, tokenProblem } from './tokens.ts'

const expected = { issuer: 'shop', audience: 'shop', typ: 'at+jwt' }
let privateJwk: JWK
let otherJwk: JWK
let jwks: JSONWebKeySet

async function newKey(kid: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  return { ...(await exportJWK(privateKey)), kid }
}

beforeAll(async () => {
  privateJwk = await newKey('one')
  otherJwk = await newKey('one')
  jwks = publicJwks({ keys: [privateJwk] })
})

const sign = (over: object = {}, jwk = privateJwk, ttlSeconds = 60) =>
  createTokenSigner({ ...expected, privateJwk: jwk, ttlSeconds, ...over }).sign({ sub: '7', role: 'admin' })

/** Where keys are published, as such answers of a status and a body. */
async function publish(answer: () => [status: number, body: string]) {
  let asked = 0
  const server = createServer((_req, res) => {
    asked += 1
    const [status, body] = answer()
    res.writeHead(status, { 'content-type': 'application/json' }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return { jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`, asked: () => asked }
}

describe('access tokens', () => {
  it('carry who it is from the signer to the verifier', async () => {
    const verifier = createTokenVerifier({ ...expected, jwks })
    expect(await verifier.verify(await sign())).toMatchObject({ sub: '7', role: 'admin', iss: 'shop' })
  })

  it('are known without waiting once they were verified, and only those', async () => {
    const verifier = createTokenVerifier({ ...expected, jwks })
    const [token, forged] = [await sign(), await sign({}, otherJwk)]
    expect(verifier.known(token)).toBeUndefined()
    await verifier.verify(token)
    await verifier.verify(forged).catch(() => undefined)
    expect(verifier.known(token)).toMatchObject({ sub: '7' })
    expect(verifier.known(forged)).toBeUndefined()
  })

  it.each([
    ['another issuer', { issuer: 'elsewhere' }],
    ['another audience', { audience: 'elsewhere' }],
    ['another type', { typ: 'internal+jwt' }],
  ])('of %s are refused', async (_what, over) => {
    const verifier = createTokenVerifier({ ...expected, jwks })
    await expect(verifier.verify(await sign(over))).rejects.toMatchObject({ status: 401, code: 'invalid-token' })
  })

  it('of another key, without signature, expired, or garbage are refused', async () => {
    const verifier = createTokenVerifier({ ...expected, jwks })
    const whole = await sign()
    const unsigned = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${whole.split('.')[1]}.`
    for (const token of [await sign({}, otherJwk), unsigned, await sign({}, privateJwk, -1), 'garbage', `${whole}x`])
      await expect(verifier.verify(token)).rejects.toMatchObject({
        ...{ status: 401, code: 'invalid-token' },
        headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
      })
    await expect(verifier.verify(await sign({}, privateJwk, -1))).rejects.toThrow('has expired')
    await expect(verifier.verify('garbage')).rejects.toThrow('is not valid here')
  })

  it('of an old key and of a new one are good while both are published, and the old one’s no longer', async () => {
    const [before, next] = [await newKey('before'), await newKey('next')]
    const both = createTokenVerifier({ ...expected, jwks: publicJwks({ keys: [next, before] }) })
    for (const key of [before, next]) expect(await both.verify(await sign({}, key))).toMatchObject({ sub: '7' })
    const after = createTokenVerifier({ ...expected, jwks: publicJwks({ keys: [next] }) })
    await expect(after.verify(await sign({}, before))).rejects.toMatchObject({ status: 401, code: 'invalid-token' })
  })

  it('signed with the public key as an HMAC secret are refused', async () => {
    const verifier = createTokenVerifier({ ...expected, jwks })
    const secret = new TextEncoder().encode(JSON.stringify(jwks.keys[0]))
    const token = await new SignJWT({ sub: '7' })
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: 'one' })
      .setIssuer('shop')
      .setAudience('shop')
      .setExpirationTime('1m')
      .sign(secret)
    await expect(verifier.verify(token)).rejects.toMatchObject({ status: 401 })
  })

  it.each(['RS256', 'ES384', 'EdDSA'])('of %s are refused, though their key is among those published', async (alg) => {
    const { privateKey, publicKey } = await generateKeyPair(alg)
    const published = { ...(await exportJWK(publicKey)), kid: 'other', alg }
    const verifier = createTokenVerifier({ ...expected, jwks: { keys: [...jwks.keys, published] } })
    const token = await new SignJWT({ sub: '7' })
      .setProtectedHeader({ alg, typ: expected.typ, kid: 'other' })
      .setIssuer(expected.issuer)
      .setAudience(expected.audience)
      .setExpirationTime('1m')
      .sign(privateKey)
    await expect(verifier.verify(token)).rejects.toMatchObject({ status: 401, code: 'invalid-token' })
  })

  it.each(['exp', 'sub'])('that do not say %s are refused', async (claim) => {
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    const verifier = createTokenVerifier({ ...expected, jwks: { keys: [await exportJWK(publicKey)] } })
    const token = new SignJWT(claim === 'sub' ? {} : { sub: '7' })
      .setProtectedHeader({ alg: 'ES256', typ: expected.typ })
      .setIssuer(expected.issuer)
      .setAudience(expected.audience)
    if (claim !== 'exp') token.setExpirationTime('1m')
    await expect(verifier.verify(await token.sign(privateKey))).rejects.toMatchObject({ code: 'invalid-token' })
  })

  describe('that were checked', () => {
    afterEach(() => void vi.useRealTimers())

    it('are refused once they have expired', async () => {
      vi.useFakeTimers({ toFake: ['Date'] })
      const verifier = createTokenVerifier({ ...expected, jwks })
      const token = await sign()
      expect(await verifier.verify(token)).toMatchObject({ sub: '7' })
      vi.setSystemTime(Date.now() + 61_000)
      await expect(verifier.verify(token)).rejects.toMatchObject({ status: 401, code: 'invalid-token' })
    })
  })

  it('are the server’s trouble, not the client’s, when the keys cannot be fetched', async () => {
    const verifier = createTokenVerifier({ ...expected, jwksUrl: 'http://127.0.0.1:1/jwks.json' })
    await expect(verifier.verify(await sign())).rejects.toMatchObject({
      ...{ status: 503, code: 'keys-unavailable', headers: { 'Retry-After': '1' } },
    })
    // Nothing at all comes for five seconds.
    expect(tokenProblem(new errors.JWKSTimeout())).toMatchObject({ status: 503, code: 'keys-unavailable' })
  })

  it.each([
    ['another status', 503, '{"keys":[]}'],
    ['no JSON', 200, 'at your service'],
    ['no keys', 200, '{}'],
  ])('are so, too, when %s comes from where the keys are published', async (_what, status, body) => {
    const { jwksUrl } = await publish(() => [status, body])
    const verifier = createTokenVerifier({ ...expected, jwksUrl })
    await expect(verifier.verify(await sign())).rejects.toMatchObject({ status: 503, code: 'keys-unavailable' })
  })

  it('have no keys fetched again for half a minute, whatever keys they name', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    let keys = jwks
    const { jwksUrl, asked } = await publish(() => [200, JSON.stringify(keys)])
    const verifier = createTokenVerifier({ ...expected, jwksUrl })
    const next = await newKey('next')
    const before = await sign()
    expect(await verifier.verify(before)).toMatchObject({ sub: '7' })
    keys = publicJwks({ keys: [next] })
    vi.advanceTimersByTime(29_000)
    for (let time = 0; time < 3; time++)
      await expect(verifier.verify(await sign({}, next))).rejects.toMatchObject({ status: 401, code: 'invalid-token' })
    expect(asked()).toBe(1)
    vi.advanceTimersByTime(2_000)
    expect(await verifier.verify(await sign({}, next))).toMatchObject({ sub: '7' })
    expect(asked()).toBe(2)
    // What was checked with a key that has been taken out since is good until it expires.
    expect(await verifier.verify(before)).toMatchObject({ sub: '7' })
    await expect(verifier.verify(await sign())).rejects.toMatchObject({ code: 'invalid-token' })
  })

  it('publish nothing private', () => {
    expect(JSON.stringify(jwks)).not.toContain(privateJwk.d)
    expect(jwks.keys[0]).toMatchObject({ kty: 'EC', crv: 'P-256', kid: 'one', alg: 'ES256' })
  })
})

describe('the cache of verified tokens', () => {
  it('forgets a token at its expiry', () => {
    let now = 0
    const cache = createTokenCache<string>(10, () => now)
    cache.put('a', 'user', 1_000)
    now = 999
    expect(cache.get('a')).toBe('user')
    now = 1_000
    expect(cache.get('a')).toBeUndefined()
  })

  it('is bounded: the oldest goes first', () => {
    const cache = createTokenCache<number>(3, () => 0)
    for (let i = 0; i < 5; i++) cache.put(`t${i}`, i, 1_000)
    expect(['t0', 't1', 't2', 't3', 't4'].map((token) => cache.get(token))).toEqual([undefined, undefined, 2, 3, 4])
  })
})
