import { type Context, createTokenSigner, publicJwks } from '@banyan/kit/service'
import { Router } from 'express'
import type { Knex } from 'knex'
import { ensureAdmin } from './accounts.ts'
import { usersInternalRoutes } from './internal-routes.ts'
import { createPasswords } from './passwords.ts'
import { usersRoutes } from './routes.ts'
import type { UsersSettings } from './settings.ts'

/** The users context; `start` makes the first administrator when the configuration names one. */
export function usersContext({ config, db }: { config: UsersSettings; db: Knex }): Context {
  const passwords = createPasswords({ memoryKib: config.ARGON2_MEMORY_KIB, passes: config.ARGON2_PASSES })
  const [privateJwk] = config.JWT_KEYS.keys
  if (!privateJwk) throw new Error('JWT_KEYS holds no key to sign with')
  const signer = createTokenSigner({
    privateJwk,
    issuer: config.JWT_ISSUER,
    audience: config.JWT_AUDIENCE ?? config.JWT_ISSUER,
    typ: 'at+jwt',
    ttlSeconds: config.ACCESS_TOKEN_SECONDS,
  })
  const publicRoutes = usersRoutes({
    db,
    passwords,
    sign: ({ id, role }) => signer.sign({ sub: String(id), role }),
    accessTokenSeconds: config.ACCESS_TOKEN_SECONDS,
    refreshTokenSeconds: config.REFRESH_TOKEN_SECONDS,
    jwks: publicJwks(config.JWT_KEYS),
  })
  const routes = Router().use(publicRoutes, usersInternalRoutes({ db }))
  return {
    routes,
    async start() {
      const { ADMIN_EMAIL, ADMIN_PASSWORD } = config
      if (ADMIN_EMAIL && ADMIN_PASSWORD) await ensureAdmin(db, passwords, ADMIN_EMAIL, ADMIN_PASSWORD)
      return { close: async () => undefined }
    },
  }
}
