import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { World } from '../suite.ts'

const OPERATIONS = ['getCustomer']

/** What the other contexts ask of users: whom an order is for. */
export function usersInternalContract(world: () => World): void {
  describe('users, for other services', () => {
    const customer = { email: `${randomUUID()}@contract.test`, name: 'Internal Customer' }
    const call = (id: number | string, token = world().serviceToken) =>
      world().client.call('getCustomer', { token, path: { id } })

    it('tells name and address of an account, and of none that there is none', async () => {
      const body = { ...customer, password: 'a contract password' }
      const { id } = (await world().client.call('register', { body })).body
      expect((await call(id)).body).toEqual({ id, ...customer })
      expect((await call(2 ** 52)).body.code).toBe('user-not-found')
      expect((await call('me')).body.code).toBe('invalid-request')
    })

    it.each(OPERATIONS)('%s is for services, not for people', async (operation) => {
      const { client, adminToken } = world()
      const path = { id: 1 }
      expect((await client.call(operation, { path })).body.code).toBe('internal-token-required')
      expect((await client.call(operation, { path, token: adminToken })).body.code).toBe('invalid-token')
    })

    it('has given every documented answer', () => {
      expect(world().client.unseen(OPERATIONS, ['421'])).toEqual([])
    })
  })
}
