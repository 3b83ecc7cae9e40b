import { pathId, requireUser } from '@banyan/kit/service'
import { type Request, Router } from 'express'
import { addressSchema } from '../address.ts'
import { getUser, register, updateUser } from './accounts.ts'
import { addAddress, listAddresses, removeAddress } from './address-book.ts'
import { credentials, profilePatch, refreshRequest, registration } from './schemas.ts'
import { refresh, type SessionDeps, signIn, signOut } from './sessions.ts'

/** @param jwks what `/.well-known/jwks.json` publishes: public keys only */
export function usersRoutes(deps: SessionDeps & { jwks: object }): Router {
  const { db, passwords } = deps
  const router = Router()
  const self = (req: Request) => Number(req.user?.id)

  router.post('/api/users', async (req, res) => {
    const user = await register(db, passwords, registration.parse(req.body))
    res.status(201).location('/api/users/me').json(user)
  })

  // Tokens must not stay in any cache on the way (RFC 6749 §5.1).
  router.use('/api/sessions', (_req, res, next) => {
    res.set('Cache-Control', 'no-store')
    next()
  })
  router.post('/api/sessions', async (req, res) => {
    res.status(201).json(await signIn(deps, credentials.parse(req.body)))
  })
  router.post('/api/sessions/refresh', async (req, res) => {
    res.status(201).json(await refresh(deps, refreshRequest.parse(req.body).refreshToken))
  })
  router.delete('/api/sessions', async (req, res) => {
    await signOut(deps, refreshRequest.parse(req.body).refreshToken)
    res.status(204).end()
  })

  router.use('/api/users/me', requireUser, (_req, res, next) => {
    res.set('Cache-Control', 'private, no-cache')
    next()
  })
  router.get('/api/users/me', async (req, res) => {
    res.json(await getUser(db, self(req)))
  })
  router.patch('/api/users/me', async (req, res) => {
    res.json(await updateUser(db, self(req), profilePatch.parse(req.body)))
  })
  router.get('/api/users/me/addresses', async (req, res) => {
    const items = await listAddresses(db, self(req))
    res.json({ items, page: 1, size: 100, total: items.length })
  })
  router.post('/api/users/me/addresses', async (req, res) => {
    res.status(201).json(await addAddress(db, self(req), addressSchema.parse(req.body)))
  })
  router.delete('/api/users/me/addresses/:id', async (req, res) => {
    await removeAddress(db, self(req), pathId.parse(req.params).id)
    res.status(204).end()
  })

  router.get('/.well-known/jwks.json', (_req, res) => {
    res.set('Cache-Control', 'public, max-age=300').json(deps.jwks)
  })

  return router
}
