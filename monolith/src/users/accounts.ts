import { append } from '@banyan/kit/outbox'
import { requireOwner } from '@banyan/kit/ownership'
import { Problem, problem } from '@banyan/kit/service'
import type { Knex } from 'knex'
import type { Passwords } from './passwords.ts'
import type { ProfilePatch, Registration } from './schemas.ts'
import { CONTEXT, SIDE } from './side.ts'

export type Role = 'customer' | 'admin'
export type User = { id: number; email: string; name: string; role: Role; createdAt: string }

export type UserRow = {
  id: number
  email: string
  name: string
  role: Role
  password_hash: string
  created_at: Date
}

export const toUser = (row: UserRow): User => ({
  id: row.id,
  email: row.email,
  name: row.name,
  role: row.role,
  createdAt: row.created_at.toISOString(),
})

/** Runs a write of the users context; refused unless this side owns it. */
export const writeUsers = <T>(db: Knex, work: (trx: Knex.Transaction) => Promise<T>): Promise<T> =>
  db.transaction(async (trx) => {
    await requireOwner(trx, CONTEXT, SIDE)
    return work(trx)
  })

/**
 * Opens an account. The hash is computed first, so that a taken address answers no sooner than a free one.
 * @throws Problem 409 email-taken
 */
export async function register(
  db: Knex,
  passwords: Passwords,
  { email, name, password }: Registration,
  role: Role = 'customer',
): Promise<User> {
  const passwordHash = await passwords.hash(password)
  return writeUsers(db, async (trx) => {
    const [row] = await trx<UserRow>('users')
      .insert({ email, name, role, password_hash: passwordHash })
      .onConflict('email')
      .ignore()
      .returning('*')
    if (!row) throw emailTaken()
    const user = toUser(row)
    await append(trx, {
      context: CONTEXT,
      stream: `user-${user.id}`,
      type: 'UserRegistered',
      version: 1,
      payload: { userId: user.id, email: user.email, name: user.name },
    })
    return user
  })
}

/** @throws Problem 401 unauthenticated when the account behind a valid token is gone */
export async function getUser(db: Knex, id: number): Promise<User> {
  const row = await db<UserRow>('users').where({ id }).first()
  if (!row) throw gone()
  return toUser(row)
}

/** @throws Problem 401 unauthenticated, 409 email-taken */
export async function updateUser(db: Knex, id: number, patch: ProfilePatch): Promise<User> {
  return writeUsers(db, async (trx) => {
    const fields = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined))
    try {
      const [row] = await trx<UserRow>('users').where({ id }).update(fields).returning('*')
      if (!row) throw gone()
      return toUser(row)
    } catch (error) {
      if ((error as { code?: string }).code === '23505') throw emailTaken()
      throw error
    }
  })
}

/**
 * Makes the first administrator unless that account exists; leaves its password alone if it does, and everything when
 * the users are not this side's to write.
 */
export async function ensureAdmin(db: Knex, passwords: Passwords, email: string, password: string): Promise<void> {
  const address = email.trim().toLowerCase()
  try {
    // The owner is asked first: where users have gone for good there is no table to look into.
    if (await writeUsers(db, (trx) => trx<UserRow>('users').where({ email: address }).first('id'))) return
    await register(db, passwords, { email: address, name: 'Shop Admin', password }, 'admin')
  } catch (error) {
    // Two processes that start at once both try, and one comes second.
    if (!(error instanceof Problem) || !['email-taken', 'not-owner', 'fenced'].includes(error.code)) throw error
  }
}

const emailTaken = () => problem(409, 'email-taken', 'this address has an account; sign in instead')
/** The account behind a token that is valid itself. */
export const gone = () => problem(401, 'unauthenticated', 'the account of this token does not exist any more')
