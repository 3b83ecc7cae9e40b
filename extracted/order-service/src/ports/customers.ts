import { type Caller, createRemoteCall, Problem, problem } from '@banyan/kit/service'
import type { Customer, CustomerOf } from '../orders/ports.ts'

/** Users by HTTP: of an account that is gone no order is taken, whatever its token still says. */
export function createCustomers(caller: Caller): CustomerOf {
  const call = createRemoteCall({ context: 'users', caller })
  return async (userId) => {
    const { name, email } = await call<Customer>('customer', {
      method: 'GET',
      path: `/internal/users/${userId}`,
    }).catch((error) => {
      throw error instanceof Problem && error.code === 'user-not-found'
        ? problem(401, 'unauthenticated', 'this account does not exist any more')
        : error
    })
    return { name, email }
  }
}
