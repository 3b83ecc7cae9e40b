import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { World } from '../suite.ts'

const OPERATIONS = [
  'getJwks',
  'register',
  'signIn',
  'signOut',
  'refreshSession',
  'getMe',
  'updateMe',
  'listAddresses',
  'addAddress',
  'removeAddress',
]

// 421 and 503 are the tests of ownership's; a hundred addresses are the monolith's own.
const ELSEWHERE = ['421', '503', 'addAddress 409']

/** Accounts, sessions and addresses, in the order in which a new customer meets them. */
export function usersContract(world: () => World): void {
  describe('users', () => {
    const email = `${randomUUID()}@contract.test`
    const password = 'a contract password'
    let refreshToken = ''

    it('opens an account once', async () => {
      const { client } = world()
      const body = { email, password, name: 'Contract Customer' }
      const created = await client.call('register', { body })
      expect(created).toMatchObject({ status: 201, body: { email, role: 'customer' } })
      expect((await client.call('register', { body })).body.code).toBe('email-taken')
    })

    it.each([
      ['no body fields', {}],
      ['an address that is none', { email: 'nowhere', password, name: 'X' }],
      ['a short password', { email: 'a@contract.test', password: 'short', name: 'X' }],
      ['a role of one’s own choice', { email: 'a@contract.test', password, name: 'X', role: 'admin' }],
      ['a NUL in the name', { email: 'a@contract.test', password, name: 'X\0' }],
      ['a name that is a number', { email: 'a@contract.test', password, name: 7 }],
    ])('refuses an account with %s', async (_, body) => {
      expect((await world().client.call('register', { body })).body.code).toBe('invalid-request')
    })

    it.each(['register', 'signIn', 'signOut', 'refreshSession'])(
      '%s refuses what is no JSON, or too much',
      async (id) => {
        const { client } = world()
        expect((await client.call(id, { body: '{"email":' })).body.code).toBe('malformed-json')
        const large = { body: JSON.stringify({ email: 'x'.repeat(200_000) }) }
        expect((await client.call(id, large)).body.code).toBe('body-too-large')
      },
    )

    it('signs in with the right password only', async () => {
      const { client } = world()
      expect((await client.call('signIn', { body: { email, password: 'wrong' } })).body.code).toBe(
        'invalid-credentials',
      )
      expect((await client.call('signIn', { body: { email } })).status).toBe(422)
      const { body } = await client.call('signIn', { body: { email, password } })
      world().customerToken = body.accessToken
      refreshToken = body.refreshToken
    })

    it('refreshes a session, once with each token', async () => {
      const { client } = world()
      const { body } = await client.call('refreshSession', { body: { refreshToken } })
      expect(body.refreshToken).not.toBe(refreshToken)
      expect((await client.call('refreshSession', { body: { refreshToken } })).body.code).toBe('invalid-refresh-token')
      expect((await client.call('refreshSession', { body: {} })).status).toBe(422)
    })

    it('ends a session, and answers alike when there is none', async () => {
      const { client } = world()
      expect((await client.call('signOut', { body: { refreshToken } })).status).toBe(204)
      expect((await client.call('signOut', { body: { refreshToken: 'unheard of' } })).status).toBe(204)
      expect((await client.call('signOut', { body: { token: 'x' } })).status).toBe(422)
    })

    it('shows and changes one’s own account', async () => {
      const { client, customerToken: token } = world()
      expect((await client.call('getMe', { token })).body.email).toBe(email)
      const renamed = await client.call('updateMe', { token, body: { name: 'Renamed' } })
      expect(renamed.body.name).toBe('Renamed')
      const other = await client.call('register', {
        body: { email: `other-${email}`, password, name: 'Other' },
      })
      const taken = await client.call('updateMe', { token, body: { email: other.body.email } })
      expect(taken.body.code).toBe('email-taken')
      expect((await client.call('updateMe', { token, body: {} })).status).toBe(422)
      expect((await client.call('updateMe', { token, body: { role: 'admin' } })).status).toBe(422)
      expect((await client.call('updateMe', { token, body: '[' })).status).toBe(400)
      expect((await client.call('updateMe', { token, body: JSON.stringify('x'.repeat(200_000)) })).status).toBe(413)
    })

    it('keeps addresses', async () => {
      const { client, customerToken: token } = world()
      const body = { name: 'C. Customer', line1: 'Street 1', postalCode: '10115', city: 'Berlin', country: 'DE' }
      const saved = await client.call('addAddress', { token, body: { ...body, line2: 'Back house' } })
      expect((await client.call('listAddresses', { token })).body.items).toEqual([saved.body])
      expect((await client.call('addAddress', { token, body: { ...body, country: 'Germany' } })).status).toBe(422)
      expect((await client.call('addAddress', { token, body: '{' })).status).toBe(400)
      expect((await client.call('addAddress', { token, body: JSON.stringify('x'.repeat(200_000)) })).status).toBe(413)
      const path = { id: saved.body.id }
      expect((await client.call('removeAddress', { token, path })).status).toBe(204)
      expect((await client.call('removeAddress', { token, path })).body.code).toBe('address-not-found')
      expect((await client.call('removeAddress', { token, path: { id: 'first' } })).status).toBe(422)
    })

    it.each(['getMe', 'updateMe', 'listAddresses', 'addAddress', 'removeAddress'])('%s asks who one is', async (id) => {
      const { client } = world()
      const path = { id: 1 }
      expect((await client.call(id, { path })).body.code).toBe('authentication-required')
      expect((await client.call(id, { path, token: 'not.a.token' })).body.code).toBe('invalid-token')
    })

    it('publishes the keys by which others check its tokens', async () => {
      expect((await world().client.call('getJwks')).body.keys).not.toEqual([])
    })

    it('has given every documented answer', () => {
      expect(world().client.unseen(OPERATIONS, ELSEWHERE)).toEqual([])
    })
  })
}
