import { type Caller, createRemoteCall, nowhere, Problem } from '@banyan/kit/service'
import { gone } from './accounts.ts'
import type { Customer } from './customers.ts'
import type { UsersPort } from './port.ts'
import { CONTEXT } from './side.ts'

/**
 * Users over HTTP. Throws 421 not-owner, too, while the service does not own them.
 * @param options.deadlineMs for one call with its retries; 5,000 unless told: it is a read
 */
export function createRemoteUsers(options: { caller: Caller; deadlineMs?: number }): UsersPort {
  const call = createRemoteCall({ context: CONTEXT, ...options })
  return {
    async customer(userId) {
      const found = await call<Customer>('customer', { method: 'GET', path: `/internal/users/${userId}` }).catch(
        (error) => {
          throw error instanceof Problem && error.code === 'user-not-found' ? gone() : error
        },
      )
      return { name: found.name, email: found.email }
    },
  }
}

/** Stands where no service is configured: the shop as one process owns its users itself and never comes here. */
export function noRemoteUsers(): UsersPort {
  return { customer: nowhere(CONTEXT, 'USER_SERVICE_URL') }
}
