import { idempotencyKey, isRefused, pageQuery, pathId, problem, problemBody, requireUser } from '@banyan/kit/service'
import { type Request, type Response, Router } from 'express'
import { cancel } from './cancel.ts'
import { getCart, removeCartItem, setCartItem } from './cart.ts'
import { shown } from './order.ts'
import { type PlaceDeps, type PlaceResult, place } from './place.ts'
import { cartItem, orderRequest, productPath } from './schemas.ts'
import { getOrder, listOrders } from './store.ts'

/** Carts and orders, each customer's own. */
export const ordersRoutes = (deps: PlaceDeps): Router => {
  const { db, inventory } = deps
  const router = Router()
  const self = (req: Request) => Number(req.user?.id)

  router.use(['/api/cart', '/api/orders'], (_req, res, next) => {
    res.set('Cache-Control', 'private, no-cache')
    next()
  })

  router.get('/api/cart', requireUser, async (req, res) => {
    res.json(await getCart(db, inventory, self(req)))
  })
  router.put('/api/cart/items/:productId', requireUser, async (req, res) => {
    const { productId } = productPath.parse(req.params)
    await setCartItem(db, inventory, { userId: self(req), productId, ...cartItem.parse(req.body) })
    res.json(await getCart(db, inventory, self(req)).catch(notUndone))
  })
  router.delete('/api/cart/items/:productId', requireUser, async (req, res) => {
    await removeCartItem(db, self(req), productPath.parse(req.params).productId)
    res.status(204).end()
  })

  router.post('/api/orders', requireUser, async (req, res) => {
    const key = idempotencyKey(req)
    send(res, await place(deps, self(req), key, orderRequest.parse(req.body)))
  })
  router.get('/api/orders', requireUser, async (req, res) => {
    const { page, size } = pageQuery.parse(req.query)
    const { items, total } = await listOrders(db, self(req), { page, size })
    res.json({ items: items.map(shown), page, size, total })
  })
  router.get('/api/orders/:id', requireUser, async (req, res) => {
    const { id } = pathId.parse(req.params)
    res.json(shown((await getOrder(db, id, self(req))).order))
  })
  router.post('/api/orders/:id/cancel', requireUser, async (req, res) => {
    const order = await cancel(deps, self(req), pathId.parse(req.params).id)
    res.status(order.status === 'cancelled' ? 200 : 202).location(`/api/orders/${order.id}`)
    res.json(shown(order))
  })

  return router
}

/** A refusal says that nothing was done, and by then the cart is changed. */
const notUndone = (error: unknown): never => {
  if (!isRefused(error)) throw error
  const headers = { 'Retry-After': '1' }
  throw problem(503, 'inventory-unreachable', 'The cart is changed, but cannot be shown now. Ask for it again.', {
    headers,
  })
}

const send = (res: Response, { orderId, response: { status, body } }: PlaceResult): void => {
  res.status(status).location(`/api/orders/${orderId}`)
  if (status < 400) {
    res.json(body)
    return
  }
  const { code, detail, ...members } = body as { code: string; detail: string }
  const told = problemBody(problem(status, code, detail, members), '/api/orders')
  res.type('application/problem+json').send(JSON.stringify(told))
}
