import { type Owner, ownerOf } from '@banyan/kit/ownership'
import { Problem } from '@banyan/kit/service'
import type { Knex } from 'knex'
import { gone } from './accounts.ts'
import { type Customer, findCustomer } from './customers.ts'
import { CONTEXT, SIDE } from './side.ts'

/** How the rest of the shop reaches users, wherever they live: branch by abstraction. No transaction may be open. */
export type UsersPort = {
  /**
   * Whom an order is for, as their account says now.
   * @throws Problem 401 unauthenticated when the account is gone; 503 users-unreachable
   */
  customer(userId: number): Promise<Customer>
}

type Look = { owner: Owner['owner']; here: Customer | undefined }

/** The owner is read under its share lock, together with the row here; the service is asked when that has ended. */
export function createUsersPort({ db, remote }: { db: Knex; remote: UsersPort }): UsersPort {
  const look = (userId: number): Promise<Look> =>
    db.transaction(async (trx) => {
      const { owner } = await ownerOf(trx, CONTEXT)
      return { owner, here: owner === 'service' ? undefined : await findCustomer(trx, userId) }
    })
  return {
    async customer(userId) {
      const { owner, here } = await look(userId)
      if (owner === SIDE) return orGone(here)
      if (owner === 'moving') return whileTheyMove(remote, userId, here)
      try {
        return await remote.customer(userId)
      } catch (error) {
        // They came back between our look and our question; a second look sees it.
        const again = isNotOwner(error) ? await look(userId) : undefined
        if (!again || again.owner === 'service') throw error
        return orGone(again.here)
      }
    },
  }
}

/**
 * Until the service has been opened it refuses, and the copy here is whole. Once it has, what was written there since is
 * not here yet: an account opened a moment ago is known there alone. Where it does not answer, the copy has to do.
 */
async function whileTheyMove(remote: UsersPort, userId: number, here: Customer | undefined): Promise<Customer> {
  try {
    return await remote.customer(userId)
  } catch (error) {
    const refused = isNotOwner(error)
    if (here && (refused || isUnanswered(error))) return here
    throw refused ? gone() : error
  }
}

const isNotOwner = (error: unknown): boolean => error instanceof Problem && error.code === 'not-owner'
const isUnanswered = (error: unknown): boolean => error instanceof Problem && error.status >= 500

function orGone(customer: Customer | undefined): Customer {
  if (!customer) throw gone()
  return customer
}
