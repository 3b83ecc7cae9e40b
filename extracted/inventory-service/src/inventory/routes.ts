import { Router } from 'express'
import type { Knex } from 'knex'
import { getProduct } from './products.ts'
import { pageQuery, productId, productQuery } from './schemas.ts'
import { listCategories, searchProducts } from './search.ts'

/** What anybody may read. */
export function inventoryRoutes({ db }: { db: Knex }): Router {
  const router = Router()

  router.get('/api/categories', async (req, res) => {
    const page = await listCategories(db, pageQuery.parse(req.query))
    res.set('Cache-Control', 'no-cache').json(page)
  })

  // `no-cache` lets a client keep an answer and ask by its ETag whether it still holds: stock changes any moment.
  router.get('/api/products', async (req, res) => {
    const page = await searchProducts(db, productQuery.parse(req.query))
    res.set('Cache-Control', 'no-cache').json(page)
  })

  router.get('/api/products/:id', async (req, res) => {
    const product = await getProduct(db, productId.parse(req.params).id)
    res.set('Cache-Control', 'no-cache').json(product)
  })

  return router
}
