import { expect, test } from 'vitest'
import { verifierOf } from './verifier.ts'

const KEYS = { JWT_JWKS: { keys: [] }, JWT_ISSUER: 'https://id.example' }
const FETCHED = { JWT_JWKS_URL: 'https://id.example/jwks.json', JWT_ISSUER: 'https://id.example' }
const open = { name: 'GET /api/goods', auth: 'optional' } as const
const strict = { name: 'GET /api/mine', auth: 'required' } as const
const of = (config: object, ...routes: (typeof open | typeof strict)[]) =>
  verifierOf({ ROUTES: 'shop/routes.yaml', ...config }, routes)

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
