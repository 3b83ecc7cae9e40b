import { requireRole } from '@banyan/kit/service'
import { Router } from 'express'
import type { Knex } from 'knex'
import { adjustStock, createProduct, deleteProduct, updateProduct } from './products.ts'
import { newProduct, productId, productPatch, stockAdjustment } from './schemas.ts'

/** What the shop's own people may change. */
export function inventoryAdminRoutes({ db }: { db: Knex }): Router {
  const router = Router()
  const admin = requireRole('admin')

  router.post('/api/products', admin, async (req, res) => {
    const product = await createProduct(db, newProduct.parse(req.body))
    res.status(201).location(`/api/products/${product.id}`).json(product)
  })

  router.patch('/api/products/:id', admin, async (req, res) => {
    res.json(await updateProduct(db, productId.parse(req.params).id, productPatch.parse(req.body)))
  })

  router.delete('/api/products/:id', admin, async (req, res) => {
    await deleteProduct(db, productId.parse(req.params).id)
    res.status(204).end()
  })

  router.post('/api/products/:id/stock-adjustments', admin, async (req, res) => {
    const product = await adjustStock(db, productId.parse(req.params).id, stockAdjustment.parse(req.body))
    res.status(201).json(product)
  })

  return router
}
