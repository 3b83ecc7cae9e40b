import { expect, test, vi } from 'vitest'
import { verifierOf } from './verifier.ts'

const KEYS = { JWT_JWKS: { keys: [] }, JWT_ISSUER: 'https://id.example' }
const FETCHED = { JWT_JWKS_URL: 'https://id.example/jwks.json', JWT_ISSUER: 'https://id.example' }
const open = { name: 'GET /api/goods', auth: 'optional' } as const
const strict = { name: 'GET /api/mine', auth: 'required' } as const
const logger = { warn: vi.fn() }
const of = (config: object, ...routes: (typeof open | typeof strict)[]) =>
  verifierOf({ ROUTES: 'shop/routes.yaml', ...config }, routes, logger)

test('a rule that requires a token is refused where no keys could check one', () => {
  for (const config of [{}, { JWT_ISSUER: 'https://id.example' }])
    expect(() => of(config, open, strict)).toThrow(
      'configuration: shop/routes.yaml says "auth: required" of GET /api/mine, and there are no keys to check tokens by. Remedy: set JWT_JWKS or JWT_JWKS_URL',
    )
  for (const config of [KEYS, FETCHED]) expect(of(config, open, strict)).not.toBeNull()
})

test('without keys and without such a rule the upstreams alone judge tokens', () => {
  expect(of({}, open)).toBeNull()
  expect(of(KEYS, open)).not.toBeNull()
})

test('the log says that keys cannot be fetched: while those that are known serve on, nothing else does', async () => {
  const token = `${Buffer.from('{"alg":"ES256","typ":"at+jwt","kid":"one"}').toString('base64url')}.e30.AAAA`
  const verifier = of({ ...FETCHED, JWT_JWKS_URL: 'http://127.0.0.1:1/jwks.json' }, strict)!
  await expect(verifier.verify(token)).rejects.toMatchObject({ status: 503, code: 'keys-unavailable' })
  expect(logger.warn.mock.calls).toEqual([
    [{ err: expect.any(Error) }, 'no keys of access tokens come from JWT_JWKS_URL'],
  ])
})
