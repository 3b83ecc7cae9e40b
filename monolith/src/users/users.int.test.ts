import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestShop, type TestShop } from '../testing/shop.ts'

let shop: TestShop
beforeAll(async () => {
  shop = await startTestShop()
})
afterAll(() => shop?.close())

const owner = (name: string) => shop.db.raw("update banyan.owner set owner = ? where context = 'users'", [name])

describe('accounts', () => {
  it('one address, however it is written, opens one account', async () => {
    const account = { email: 'Ada@Example.org', password: 'analytical engine', name: 'Ada' }
    const first = await shop.call('POST', '/api/users', { body: account })
    expect(first.status).toBe(201)
    expect(first.body).toMatchObject({ email: 'ada@example.org', role: 'customer', name: 'Ada' })
    const second = await shop.call('POST', '/api/users', { body: { ...account, email: 'ADA@example.org' } })
    expect(second).toMatchObject({ status: 409, body: { code: 'email-taken' } })
  })

  it('never shows a password, not even its hash', async () => {
    const { token, password } = await shop.customer()
    const { body } = await shop.call('GET', '/api/users/me', { token })
    expect(Object.keys(body).sort()).toEqual(['createdAt', 'email', 'id', 'name', 'role'])
    const { rows } = await shop.db.raw('select password_hash from users where id = ?', [body.id])
    expect(rows[0].password_hash).toMatch(/^\$argon2id\$/)
    expect(rows[0].password_hash).not.toContain(password)
  })

  it('nobody makes himself an administrator: unknown fields are refused', async () => {
    const body = { email: 'eve@example.org', password: 'let me in please', name: 'Eve', role: 'admin' }
    const answer = await shop.call('POST', '/api/users', { body })
    expect(answer).toMatchObject({ status: 422, body: { code: 'invalid-request' } })
  })

  it('tells of a new account in the same transaction', async () => {
    const { id, email } = await shop.customer()
    const { rows } = await shop.db.raw('select type, version, payload from banyan.outbox where stream = ?', [
      `user-${id}`,
    ])
    expect(rows).toEqual([
      { type: 'UserRegistered', version: 1, payload: { userId: id, email, name: expect.any(String) } },
    ])
  })

  it('an address belongs to who saved it', async () => {
    const [mine, theirs] = [await shop.customer(), await shop.customer()]
    const address = { name: 'A', line1: 'Street 1', postalCode: '10115', city: 'Berlin', country: 'DE' }
    const saved = await shop.call('POST', '/api/users/me/addresses', { token: mine.token, body: address })
    expect(saved).toMatchObject({ status: 201, body: address })
    const path = `/api/users/me/addresses/${saved.body.id}`
    expect((await shop.call('DELETE', path, { token: theirs.token })).status).toBe(404)
    expect((await shop.call('DELETE', path, { token: mine.token })).status).toBe(204)
    expect((await shop.call('GET', '/api/users/me/addresses', { token: mine.token })).body.items).toEqual([])
  })
})

it('keeps a hundred addresses of one account, also when several come for the last place at once', async () => {
  const { id, token } = await shop.customer()
  await shop.db.raw(
    `insert into addresses (user_id, name, line1, postal_code, city, country)
     select ?, 'A', 'Street ' || n, '10115', 'Berlin', 'DE' from generate_series(1, 99) n`,
    [id],
  )
  const body = { name: 'A', line1: 'Street 100', postalCode: '10115', city: 'Berlin', country: 'DE' }
  const add = () => shop.call('POST', '/api/users/me/addresses', { token, body })
  const answers = await Promise.all([add(), add(), add(), add()])
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409])
  expect((await add()).body.code).toBe('too-many-addresses')
})

describe('sessions', () => {
  it('an unknown address and a wrong password get the same answer', async () => {
    const { email } = await shop.customer()
    const wrong = await shop.call('POST', '/api/sessions', { body: { email, password: 'wrong wrong' } })
    const unknown = await shop.call('POST', '/api/sessions', {
      body: { email: 'nobody@shop.test', password: 'wrong wrong' },
    })
    expect(wrong.status).toBe(401)
    expect({ ...unknown.body, traceId: '' }).toEqual({ ...wrong.body, traceId: '' })
  })

  it('a refresh token works once, and its successor once', async () => {
    const { refreshToken } = await shop.customer()
    const second = await shop.call('POST', '/api/sessions/refresh', { body: { refreshToken } })
    expect(second.status).toBe(201)
    const third = await shop.call('POST', '/api/sessions/refresh', { body: { refreshToken: second.body.refreshToken } })
    expect(third.status).toBe(201)
    expect((await shop.call('GET', '/api/users/me', { token: third.body.accessToken })).status).toBe(200)
  })

  it('a token used twice revokes the whole family, the newest token included', async () => {
    const { refreshToken } = await shop.customer()
    const second = await shop.call('POST', '/api/sessions/refresh', { body: { refreshToken } })
    const reused = await shop.call('POST', '/api/sessions/refresh', { body: { refreshToken } })
    expect(reused).toMatchObject({ status: 401, body: { code: 'invalid-refresh-token' } })
    const newest = await shop.call('POST', '/api/sessions/refresh', {
      body: { refreshToken: second.body.refreshToken },
    })
    expect(newest.status).toBe(401)
  })

  it('of twenty refreshes with one token at once a single one succeeds', async () => {
    const { refreshToken } = await shop.customer()
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => shop.call('POST', '/api/sessions/refresh', { body: { refreshToken } })),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(19)
  })

  it.each([
    ['an older token that comes again', 'POST', '/api/sessions/refresh'],
    ['signing out with an older one', 'DELETE', '/api/sessions'],
  ])('%s, while the newest token is being traded, ends its successor, too', async (_what, method, path) => {
    const refresh = (refreshToken: string) => shop.call('POST', '/api/sessions/refresh', { body: { refreshToken } })
    const { refreshToken: older } = await shop.customer()
    const { body: newest } = await refresh(older)
    // Between the token that a refresh has used and the one that it leaves.
    await shop.db.raw(`
      create function wait_here() returns trigger language plpgsql as $$ begin
        perform pg_advisory_xact_lock(41); return new; end $$;
      create trigger wait_here before insert on refresh_tokens for each row execute function wait_here()`)
    const waiting = async (count: number) =>
      expect
        .poll(
          async () => {
            const { rows } = await shop.db.raw(
              'select count(distinct pid)::int as n from pg_locks join pg_stat_activity using (pid) where not granted and datname = current_database()',
            )
            return rows[0].n
          },
          { timeout: 20_000 },
        )
        .toBe(count)
    const opened = await shop.db.transaction()
    await opened.raw('select pg_advisory_xact_lock(41)')
    const trading = refresh(newest.refreshToken)
    await waiting(1)
    const ending = shop.call(method, path, { body: { refreshToken: older } })
    await waiting(2)
    await opened.commit()
    const { status, body: successor } = await trading
    await ending
    await shop.db.raw('drop function wait_here cascade')
    expect(status).toBe(201)
    expect((await refresh(successor.refreshToken)).status).toBe(401)
  })

  it('signing out ends the family and does not say whether there was one', async () => {
    const { refreshToken } = await shop.customer()
    expect((await shop.call('DELETE', '/api/sessions', { body: { refreshToken } })).status).toBe(204)
    expect((await shop.call('DELETE', '/api/sessions', { body: { refreshToken: 'never seen' } })).status).toBe(204)
    expect((await shop.call('POST', '/api/sessions/refresh', { body: { refreshToken } })).status).toBe(401)
  })

  it('an expired token does not refresh', async () => {
    const { id, refreshToken } = await shop.customer()
    await shop.db.raw('update refresh_tokens set expires_at = now() where user_id = ?', [id])
    expect((await shop.call('POST', '/api/sessions/refresh', { body: { refreshToken } })).status).toBe(401)
  })

  it('publishes only the public half of its keys', async () => {
    const { body, headers } = await shop.call('GET', '/.well-known/jwks.json')
    expect(body.keys).toHaveLength(1)
    expect(body.keys[0]).not.toHaveProperty('d')
    expect(headers.get('cache-control')).toBe('public, max-age=300')
  })
})

describe('a shop that does not own its users', () => {
  it('starts, and needs no table of theirs, once they have gone for good', async () => {
    const left = await startTestShop()
    try {
      await left.db.raw("update banyan.owner set owner = 'service' where context = 'users'")
      await left.db.raw('alter table users rename to users_of_before')
      const again = await startTestShop({ DATABASE_URL: left.config.DATABASE_URL })
      expect((await again.call('GET', '/api/categories')).status).toBe(200)
      await again.close()
    } finally {
      await left.close()
    }
  })

  it('refuses each write with 421, and with 503 while they move, and changes nothing', async () => {
    const { token, refreshToken, email, password } = await shop.customer()
    const writes: [string, string, unknown][] = [
      ['POST', '/api/users', { email: 'late@shop.test', password: 'long enough', name: 'Late' }],
      ['POST', '/api/sessions', { email, password }],
      ['POST', '/api/sessions', { email: 'opened-at-the-owner@shop.test', password }],
      ['POST', '/api/sessions/refresh', { refreshToken }],
      ['DELETE', '/api/sessions', { refreshToken }],
      ['PATCH', '/api/users/me', { name: 'Other' }],
    ]
    try {
      for (const [name, status, reason] of [
        ['service', 421, 'not-owner'],
        ['moving', 503, 'fenced'],
      ] as const) {
        await owner(name)
        for (const [method, path, body] of writes) {
          const answer = await shop.call(method, path, { token, body })
          expect([method, path, answer.status, answer.headers.get('banyan-refused')]).toEqual([
            method,
            path,
            status,
            reason,
          ])
        }
      }
    } finally {
      await owner('monolith')
    }
    expect((await shop.call('GET', '/api/users/me', { token })).body.name).not.toBe('Other')
    expect((await shop.call('POST', '/api/sessions/refresh', { body: { refreshToken } })).status).toBe(201)
  })
})
