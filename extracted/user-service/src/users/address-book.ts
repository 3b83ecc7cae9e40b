import { problem } from '@banyan/kit/service'
import type { Knex } from 'knex'
import type { Address } from '../address.ts'
import { writeUsers } from './accounts.ts'

type AddressRow = {
  id: number
  user_id: number
  name: string
  line1: string
  line2: string | null
  postal_code: string
  city: string
  country: string
}

export type SavedAddress = Address & { id: number }

const MAX_ADDRESSES = 100

const toAddress = (row: AddressRow): SavedAddress => ({
  id: row.id,
  name: row.name,
  line1: row.line1,
  ...(row.line2 === null ? {} : { line2: row.line2 }),
  postalCode: row.postal_code,
  city: row.city,
  country: row.country,
})

/** All addresses of a user; there are never more than fit on one page. */
export async function listAddresses(db: Knex, userId: number): Promise<SavedAddress[]> {
  const rows = await db<AddressRow>('addresses').where({ user_id: userId }).orderBy('id')
  return rows.map(toAddress)
}

/** @throws Problem 409 too-many-addresses */
export async function addAddress(db: Knex, userId: number, address: Address): Promise<SavedAddress> {
  return writeUsers(db, async (trx) => {
    // Locked, so that two requests at once cannot both find room for the last one.
    await trx('users').where({ id: userId }).forUpdate().first('id')
    const counted = await trx('addresses').where({ user_id: userId }).count({ total: '*' }).first()
    if (Number(counted?.total) >= MAX_ADDRESSES) {
      throw problem(409, 'too-many-addresses', `an account keeps ${MAX_ADDRESSES} addresses; delete one first`)
    }
    const { postalCode, line2 = null, ...same } = address
    const [row] = await trx<AddressRow>('addresses')
      .insert({ user_id: userId, postal_code: postalCode, line2, ...same })
      .returning('*')
    return toAddress(row as AddressRow)
  })
}

/** @throws Problem 404 address-not-found, also for somebody else's */
export async function removeAddress(db: Knex, userId: number, id: number): Promise<void> {
  await writeUsers(db, async (trx) => {
    const removed = await trx('addresses').where({ id, user_id: userId }).delete()
    if (removed === 0) throw problem(404, 'address-not-found', `you have no address ${id}`)
  })
}
