import { pathId } from '@banyan/kit/service'
import { Router } from 'express'
import type { Knex } from 'knex'
import { currentCustomer } from './customers.ts'

/** What the other contexts ask of users; mounted behind a check of the caller's own token. */
export function usersInternalRoutes({ db }: { db: Knex }): Router {
  const router = Router()

  router.get('/internal/users/:id', async (req, res) => {
    res.set('Cache-Control', 'no-store').json(await currentCustomer(db, pathId.parse(req.params).id))
  })

  return router
}
