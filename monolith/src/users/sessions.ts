import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { problem } from '@banyan/kit/service'
import type { Knex } from 'knex'
import { toUser, type User, type UserRow, writeUsers } from './accounts.ts'
import type { Passwords } from './passwords.ts'
import type { Credentials } from './schemas.ts'

/** `family` is the chain of tokens that began with one sign-in; each token of it works once. */
type TokenRow = {
  id: number
  user_id: number
  family: string
  token_hash: Buffer
  expires_at: Date
  used_at: Date | null
  revoked_at: Date | null
}

export type Session = {
  accessToken: string
  refreshToken: string
  tokenType: 'Bearer'
  expiresIn: number
  user: User
}

export type SessionDeps = {
  db: Knex
  passwords: Passwords
  /** Signs an access token for the user. */
  sign(user: User): Promise<string>
  accessTokenSeconds: number
  refreshTokenSeconds: number
}

/** @throws Problem 401 invalid-credentials, the same for an unknown address and a wrong password */
export async function signIn(deps: SessionDeps, { email, password }: Credentials): Promise<Session> {
  const row = await deps.db<UserRow>('users').where({ email }).first()
  const matches = await deps.passwords.matches(password, row?.password_hash)
  if (!row || !matches) {
    // An account that is not known here may have been opened at the owner a moment ago.
    await writeUsers(deps.db, async () => undefined)
    throw problem(401, 'invalid-credentials', 'no account has this address and this password')
  }
  const user = toUser(row)
  const refreshToken = await writeUsers(deps.db, (trx) => issue(trx, deps, user.id, randomUUID()))
  return session(deps, user, refreshToken)
}

/**
 * Trades a refresh token for a new pair. A token that comes a second time was copied, by whichever of the two: the
 * whole family is revoked (RFC 9700 §4.14.2).
 * @throws Problem 401 invalid-refresh-token
 */
export async function refresh(deps: SessionDeps, refreshToken: string): Promise<Session> {
  // The refusal is thrown after the commit: thrown inside, it would take the revocation back.
  const renewed = await writeUsers(deps.db, async (trx) => {
    const token = await lockFamilyOf(trx, refreshToken)
    if (!token || token.revoked_at) return undefined
    if (token.used_at) {
      await revokeFamily(trx, token.family)
      return undefined
    }
    if (token.expires_at.getTime() <= Date.now()) return undefined
    await trx('refresh_tokens').where({ id: token.id }).update({ used_at: trx.fn.now() })
    const row = await trx<UserRow>('users').where({ id: token.user_id }).first()
    return row && { user: toUser(row), refreshToken: await issue(trx, deps, row.id, token.family) }
  })
  if (!renewed)
    throw problem(401, 'invalid-refresh-token', 'this refresh token does not work (any more); sign in again')
  return session(deps, renewed.user, renewed.refreshToken)
}

/** Ends the session that the token belongs to. Says nothing about a token that is unknown: it works no more anyway. */
export async function signOut(deps: SessionDeps, refreshToken: string): Promise<void> {
  await writeUsers(deps.db, async (trx) => {
    const token = await lockFamilyOf(trx, refreshToken)
    if (token) await revokeFamily(trx, token.family)
  })
}

// Stored hashed: who reads the table cannot sign in with it. 256 random bits need no slow hash.
const digest = (token: string) => createHash('sha256').update(token).digest()

async function issue(trx: Knex.Transaction, deps: SessionDeps, userId: number, family: string): Promise<string> {
  const token = randomBytes(32).toString('base64url')
  const expiresAt = new Date(Date.now() + deps.refreshTokenSeconds * 1000)
  await trx('refresh_tokens').insert({ user_id: userId, family, token_hash: digest(token), expires_at: expiresAt })
  return token
}

/**
 * Looks the token up with its family locked to the end of the transaction. A lock of rows would not do: whoever revokes
 * the family would not see the token that a refresh under way is about to add to it.
 */
async function lockFamilyOf(trx: Knex.Transaction, refreshToken: string): Promise<TokenRow | undefined> {
  const find = () =>
    trx<TokenRow>('refresh_tokens')
      .where({ token_hash: digest(refreshToken) })
      .first()
  const found = await find()
  if (!found) return undefined
  await trx.raw('select pg_advisory_xact_lock(hashtextextended(?, 0))', [`refresh tokens ${found.family}`])
  // What it waited for may have used or revoked the token.
  return find()
}

async function revokeFamily(trx: Knex.Transaction, family: string): Promise<void> {
  await trx('refresh_tokens').where({ family, revoked_at: null }).update({ revoked_at: trx.fn.now() })
}

async function session(deps: SessionDeps, user: User, refreshToken: string): Promise<Session> {
  const accessToken = await deps.sign(user)
  return { accessToken, refreshToken, tokenType: 'Bearer', expiresIn: deps.accessTokenSeconds, user }
}
