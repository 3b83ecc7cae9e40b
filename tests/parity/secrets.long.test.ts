import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { parity, readReport } from './run-parity.ts'

const ROOT = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'banyan-secrets-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What a client puts somewhere, each by a word of its own, so that a failure names the place. */
const PLANTED = {
  password: 'planted-password-4711',
  email: 'planted.email@example.com',
  header: 'planted-api-key-4712',
  cookie: 'planted-cookie-4713',
  authorization: 'planted-authorization-4714',
  query: 'planted-query-4715',
  pathEmail: 'planted.path@example.com',
  pathToken: 'eyJwbGFudGVk.eyJwYXRo.cGxhbnRlZA',
  refreshToken: 'planted-refresh-token-4716',
  raw: 'planted-raw-password-4717',
  expected: 'planted-expected-token-4718',
}
/** What the sides make of it, in answers and in rows: tokens, hashes of passwords and of tokens. */
const MADE = {
  token: /eyJ[\w-]+\.[\w-]+/,
  passwordHash: /argon2id/,
  tokenHash: /\\x[0-9a-f]{64}/,
  bearer: /Bearer [^‹]/,
}

it('no file, log or line of a run holds a secret of a request or of a row, where all of them differ', async () => {
  const scenarios = join(folder, 'parity/users')
  mkdirSync(scenarios, { recursive: true })
  // No rule allows for anything: tokens, hashes and times differ by nature, and each difference has its sample.
  const settings = {
    contract: relative(scenarios, join(ROOT, 'tests/contracts/openapi.yaml')),
    operations: ['register'],
    minimum: 1,
  }
  writeFileSync(join(scenarios, 'parity.yaml'), stringify(settings))
  const person = { email: PLANTED.email, password: PLANTED.password, name: 'Somebody' }
  const session = { email: PLANTED.email, password: PLANTED.password }
  const headers = { 'x-api-key': PLANTED.header, cookie: `sid=${PLANTED.cookie}` }
  const steps = [
    { post: '/api/users', body: person, headers, expect: { 'body.password': PLANTED.expected } },
    { post: '/api/users', body: person },
    { post: '/api/users', raw: `{"password":"${PLANTED.raw}", "email":` },
    { post: '/api/sessions', body: session, expect: { 'body.refreshToken': PLANTED.expected } },
    { post: '/api/sessions', body: { ...session, password: `${PLANTED.password}-wrong` } },
    { post: '/api/sessions/refresh', body: { refreshToken: PLANTED.refreshToken } },
    { get: '/api/users/me', headers: { authorization: `Bearer ${PLANTED.authorization}` } },
    { get: `/api/users/me/addresses?token=${PLANTED.query}`, as: 'customer' },
    { get: '/api/users/me', query: { token: PLANTED.query }, as: 'customer' },
    { delete: `/api/users/me/addresses/${PLANTED.pathToken}`, as: 'customer' },
    { post: `/api/nowhere/${PLANTED.pathEmail}/${PLANTED.pathToken}`, body: { password: PLANTED.password } },
  ]
  writeFileSync(join(scenarios, 'planted.yaml'), stringify({ scenario: 'secrets everywhere', steps }))
  const [report, logs] = [join(folder, 'report'), join(folder, 'logs')]
  const options = ['users', '--folder', join(folder, 'parity'), '--requests', '60', '--logs', logs]
  const { code, said } = await parity(report, ...options)
  expect(code, said).toBe(1)
  const found = readReport(report)
  // Samples were taken of the places where secrets are, or the rest would prove nothing.
  const places = found.differences.map((difference) => (difference as { at: string }).at)
  expect(places).toEqual(
    expect.arrayContaining([
      ...['$.body.accessToken', '$.body.refreshToken', '$.rows.users.changed[*].password_hash'],
      ...['$.rows.refresh_tokens.changed[*].token_hash', '$.rows.refresh_tokens.changed[*].expires_at'],
    ]),
  )
  expect(found).toMatchObject({
    unmet: expect.arrayContaining([
      expect.objectContaining({ what: expect.stringContaining('$.body.refreshToken is') }),
    ]),
  })
  const texts: Record<string, string> = Object.fromEntries([
    ['said', said],
    ...[report, logs].flatMap((from) =>
      readdirSync(from).map((file) => [file, readFileSync(join(from, file), 'utf8')]),
    ),
  ])
  expect(Object.keys(texts)).toEqual(
    expect.arrayContaining(['report.html', 'report.json', 'junit.xml', 'monolith.log', 'user-service.log']),
  )
  const leaks = Object.entries(texts).flatMap(([file, text]) => [
    ...Object.entries(PLANTED).flatMap(([place, secret]) => (text.includes(secret) ? [`${place} in ${file}`] : [])),
    ...Object.entries(MADE).flatMap(([what, form]) => (form.test(text) ? [`${what} in ${file}`] : [])),
  ])
  expect(leaks).toEqual([])
}, 300_000)
