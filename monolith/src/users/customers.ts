import { ownerOf } from '@banyan/kit/ownership'
import { problem, refusal } from '@banyan/kit/service'
import type { Knex } from 'knex'
import type { UserRow } from './accounts.ts'
import { CONTEXT, SIDE } from './side.ts'

/** Whom an order is for: what of an account the other contexts get to know. */
export type Customer = { name: string; email: string }

export async function findCustomer(db: Knex, id: number): Promise<Customer | undefined> {
  return db<UserRow>('users').where({ id }).first('name', 'email')
}

/**
 * The account as it is now. Where the other side owns users nothing is told: the copy here may lag behind it, and would
 * deny an account opened a moment ago. While they move away from here nobody can be ahead of the copy.
 * @throws Problem 404 user-not-found, 421 not-owner
 */
export function currentCustomer(db: Knex, id: number): Promise<Customer & { id: number }> {
  return db.transaction(async (trx) => {
    const { owner } = await ownerOf(trx, CONTEXT)
    if (owner !== SIDE && owner !== 'moving') throw refusal(CONTEXT, owner, SIDE)
    const customer = await findCustomer(trx, id)
    if (!customer) throw problem(404, 'user-not-found', `there is no account ${id}`)
    return { id, ...customer }
  })
}
