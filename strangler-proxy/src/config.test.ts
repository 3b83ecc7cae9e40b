import { readConfig } from '@banyan/kit/service'
import { expect, test } from 'vitest'
import { proxyConfig } from './config.ts'

const ENV = {
  PORT: '8080',
  OPS_PORT: '8081',
  CONTROL_DATABASE_URL: 'postgres://127.0.0.1/banyan_control',
  UNLEASH_URL: 'http://127.0.0.1:4242/api',
  UNLEASH_TOKEN: 'a token',
  ROUTES: 'routes.yaml',
  MONOLITH_URL: 'http://127.0.0.1:3000',
  COOKIE_KEY: 'a cookie key for tests',
  OVERRIDE_KEY: 'an override key for tests',
  OPS_TOKEN: 'an operators token for tests',
}

test('keys of access tokens without their issuer are refused: every client would count as anonymous', () => {
  const keys = { ...ENV, JWT_JWKS: '{"keys":[]}' }
  expect(() => readConfig(proxyConfig, keys)).toThrow('JWT_ISSUER is missing')
  expect(readConfig(proxyConfig, { ...keys, JWT_ISSUER: 'https://id.example' }).JWT_ISSUER).toBe('https://id.example')
  expect(readConfig(proxyConfig, ENV).JWT_JWKS).toBeUndefined()
})

test('keys of access tokens are named once, here or by where they are published', () => {
  const published = { ...ENV, JWT_ISSUER: 'https://id.example', JWT_JWKS_URL: 'https://id.example/jwks.json' }
  expect(readConfig(proxyConfig, published).JWT_JWKS_URL).toBe('https://id.example/jwks.json')
  expect(() => readConfig(proxyConfig, { ...published, JWT_JWKS: '{"keys":[]}' })).toThrow('say one of the two')
  expect(() => readConfig(proxyConfig, { ...published, JWT_ISSUER: '' })).toThrow('JWT_ISSUER is missing')
})

test('that the monolith is gone has to be said: an address that is missing is a fault', () => {
  const { MONOLITH_URL: _, ...env } = ENV
  expect(readConfig(proxyConfig, { ...env, MONOLITH_URL: 'none' }).MONOLITH_URL).toEqual([])
  expect(() => readConfig(proxyConfig, env)).toThrow('MONOLITH_URL')
  expect(() => readConfig(proxyConfig, { ...env, MONOLITH_URL: 'http://a,none' })).toThrow('MONOLITH_URL')
})
