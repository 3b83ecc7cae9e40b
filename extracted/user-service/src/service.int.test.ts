import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startTestUsers, type TestUsers } from './testing/users.ts'

const ADMIN = { ADMIN_EMAIL: 'admin@users.test', ADMIN_PASSWORD: 'an administrator' }
let users: TestUsers
beforeAll(async () => {
  users = await startTestUsers({ env: ADMIN })
})
afterAll(() => users?.close())
beforeEach(() => users.setOwner('service'))

const refresh = (refreshToken: string) => users.call('POST', '/api/sessions/refresh', { body: { refreshToken } })

describe('a service that owns users', () => {
  it('lets its own tokens in, and publishes the key that checks them', async () => {
    const { id, token } = await users.customer()
    expect((await users.call('GET', '/api/users/me', { token })).body.id).toBe(id)
    const { kid } = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())
    expect((await users.call('GET', '/.well-known/jwks.json')).body.keys[0]).toMatchObject({ kid, alg: 'ES256' })
  })

  it('of twenty refreshes with one token at once lets one succeed, and then ends the session', async () => {
    const { refreshToken } = await users.customer()
    const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(refreshToken)))
    const [winner, ...others] = answers.filter(({ status }) => status === 201)
    expect(others).toEqual([])
    expect((await refresh(winner!.body.refreshToken)).status).toBe(401)
  })

  it('numbers its events within its own term', async () => {
    const { id } = await users.customer()
    const { rows } = await users.db.raw(
      `select e.type, e.term = o.term as own from banyan.outbox e, banyan.owner o
       where e.stream = ? and o.context = 'users'`,
      [`user-${id}`],
    )
    expect(rows).toEqual([{ type: 'UserRegistered', own: true }])
  })
})

describe('a service that does not own users', () => {
  it('makes no administrator at its start', async () => {
    expect(await users.db('users').where({ email: ADMIN.ADMIN_EMAIL })).toEqual([])
  })

  it.each([
    ['monolith', 421, 'not-owner'],
    ['moving', 503, 'fenced'],
  ] as const)('answers reads and refuses writes while the owner is %s: %s', async (owner, status, reason) => {
    const { id, email, token, refreshToken } = await users.customer()
    const address = { name: 'A', line1: 'Street 1', postalCode: '10115', city: 'Berlin', country: 'DE' }
    const saved = await users.call('POST', '/api/users/me/addresses', { token, body: address })
    await users.setOwner(owner)
    const writes: [string, string, object?][] = [
      ['POST', '/api/users', { email: `late-${email}`, password: 'long enough', name: 'Late' }],
      ['POST', '/api/sessions', { email, password: 'correct horse' }],
      ['POST', '/api/sessions/refresh', { refreshToken }],
      ['DELETE', '/api/sessions', { refreshToken }],
      ['PATCH', '/api/users/me', { name: 'Other' }],
      ['POST', '/api/users/me/addresses', address],
      ['DELETE', `/api/users/me/addresses/${saved.body.id}`],
    ]
    for (const [method, path, body] of writes) {
      const answer = await users.call(method, path, { token, body })
      expect([path, answer.status, answer.headers.get('banyan-refused')]).toEqual([path, status, reason])
    }
    expect((await users.call('GET', '/api/users/me', { token })).body).toMatchObject({ id, name: 'Customer' })
    expect((await users.call('GET', '/api/users/me/addresses', { token })).body.items).toEqual([saved.body])
    await users.setOwner('service')
    expect((await refresh(refreshToken)).status).toBe(201)
  })

  it('tells the other contexts nothing that may be behind: only while users leave it the copy is whole', async () => {
    const { id } = await users.customer()
    const ask = () => users.internal('GET', `/internal/users/${id}`)
    expect((await ask()).status).toBe(200)
    await users.setOwner('moving')
    expect((await ask()).status).toBe(200)
    await users.setOwner('monolith')
    const refused = await ask()
    expect([refused.status, refused.headers.get('banyan-refused')]).toEqual([421, 'not-owner'])
  })
})

describe('a service that is started as the owner', () => {
  it.each<Record<string, string>>([{ JWT_ISSUER: 'acme' }, { JWT_ISSUER: 'acme', JWT_AUDIENCE: 'acme-shop' }])(
    'signs tokens that whoever is given %o lets in',
    async (env) => {
      const owner = await startTestUsers({ env })
      try {
        await owner.setOwner('service')
        const { id, token } = await owner.customer()
        expect((await owner.call('GET', '/api/users/me', { token })).body.id).toBe(id)
      } finally {
        await owner.close()
      }
    },
  )

  it('makes the first administrator once', async () => {
    const owner = await startTestUsers()
    try {
      await owner.setOwner('service')
      const again = () => startTestUsers({ env: { ...ADMIN, DATABASE_URL: owner.databaseUrl } })
      for (let start = 1; start <= 2; start++) await (await again()).close()
      const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password } = ADMIN
      const { body } = await owner.call('POST', '/api/sessions', { body: { email, password } })
      expect(body.user).toMatchObject({ email, role: 'admin' })
      expect(await owner.db('users').count('* as n').first()).toEqual({ n: 1 })
    } finally {
      await owner.close()
    }
  })
})
