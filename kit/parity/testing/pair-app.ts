/** A small shop for the tester's own test: five of its fields are random, and twelve bugs can be planted in it. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import express, { type Express, type Response } from 'express'
import { createSide, type Effects, type Side } from '../side.ts'

export const BUGS = [
  'wrong-status',
  'missing-header',
  'rounding',
  'time-zone',
  'null-not-absent',
  'list-order',
  'page-off-by-one',
  'swallowed-error',
  'missing-event',
  'wrong-row',
  'leaked-field',
  'race',
] as const
export type Bug = (typeof BUGS)[number]

type Did = { rows: { items: unknown[] }; events: unknown[] }

type Item = { id: number; name: string; priceCents: number; left: number; note?: string }

/** Starts the app on a free port. @param bugs which are planted */
export async function startPairApp(name: string, bugs: ReadonlySet<Bug> = new Set()): Promise<Side & { url: string }> {
  const did: Did = { rows: { items: [] }, events: [] }
  const server = buildApp(bugs, did).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const effects: Effects = {
    async begin() {
      Object.assign(did, { rows: { items: [] }, events: [] })
    },
    async collect() {
      const { rows, events } = did
      Object.assign(did, { rows: { items: [] }, events: [] })
      return { rows, events }
    },
    close: async () => undefined,
  }
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const side = createSide({ name, baseUrl: url, effects })
  return {
    ...side,
    url,
    async close() {
      await side.close()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function buildApp(bugs: ReadonlySet<Bug>, did: Did): Express {
  const items = new Map<number, Item>()
  let lastId = 0
  const has = (bug: Bug) => bugs.has(bug)
  const wrote = (item: Item) => {
    did.rows.items.push({ ...item })
  }
  const tell = (type: string, id: number) => did.events.push({ type, id, eventId: randomUUID() })
  const now = () => new Date().toISOString().replace('Z', has('time-zone') ? '+02:00' : 'Z')
  // Random: traceId, issuedAt, nonce, hint (there or not), and the header x-instance.
  const send = (res: Response, status: number, body: object) =>
    void res.status(status).json({
      ...body,
      traceId: randomBytes(16).toString('hex'),
      issuedAt: now(),
      nonce: Math.floor(Math.random() * 1e6),
      ...(Math.random() < 0.3 ? { hint: randomUUID() } : {}),
    })
  const show = ({ note, ...item }: Item) => ({
    ...item,
    ...(note === undefined ? (has('null-not-absent') ? { note: null } : {}) : { note }),
    ...(has('leaked-field') ? { supplierPriceCents: 7 } : {}),
  })

  const app = express().disable('etag').use(express.json())
  app.use((_req, res, next) => {
    res.set('x-instance', randomBytes(4).toString('hex'))
    next()
  })
  app.post('/items', (req, res) => {
    const { name, priceCents, left = 1, note } = req.body as Item
    if (!Number.isInteger(priceCents) || priceCents < 0)
      return has('swallowed-error') ? send(res, 201, { ok: true }) : send(res, 422, { code: 'invalid-price' })
    const item = { id: ++lastId, name, priceCents, left, ...(note === undefined ? {} : { note }) }
    items.set(item.id, item)
    wrote(item)
    tell('ItemAdded', item.id)
    if (!has('missing-header')) res.location(`/items/${item.id}`)
    send(res, 201, show(item))
  })
  app.get('/items', (req, res) => {
    const all = [...items.values()].filter((item) => item.name.startsWith(String(req.query.name ?? '')))
    const ids = all.map((item) => item.id)
    const from = (Number(req.query.page) - 1) * 2 + (has('page-off-by-one') ? 1 : 0)
    const shown = req.query.page ? ids.slice(from, from + 2) : has('list-order') ? ids.reverse() : ids
    send(res, 200, { ids: shown, total: all.length })
  })
  app.get('/items/:id', (req, res) => {
    const item = items.get(Number(req.params.id))
    if (!item) return send(res, 404, { code: 'not-found' })
    send(res, 200, show(item))
  })
  app.get('/items/:id/tax', (req, res) => {
    const item = items.get(Number(req.params.id))
    if (!item) return send(res, 404, { code: 'not-found' })
    const tax = item.priceCents * 0.19
    send(res, 200, { taxCents: has('rounding') ? Math.floor(tax) : Math.round(tax) })
  })
  app.patch('/items/:id', (req, res) => {
    const item = items.get(Number(req.params.id))
    if (!item) return send(res, 404, { code: 'not-found' })
    const changed = { ...item, priceCents: Number(req.body.priceCents) }
    items.set(item.id, changed)
    wrote(has('wrong-row') ? item : changed)
    tell('ItemChanged', item.id)
    send(res, 200, show(changed))
  })
  app.delete('/items/:id', (req, res) => {
    const id = Number(req.params.id)
    if (!items.delete(id)) return has('wrong-status') ? send(res, 200, {}) : send(res, 404, { code: 'not-found' })
    did.rows.items.push({ id, gone: true })
    if (!has('missing-event')) tell('ItemDeleted', id)
    send(res, 200, {})
  })
  // Two buyers at once: with the bug both look before either takes, which the barrier makes certain.
  let waiting: (() => void)[] = []
  app.post('/items/:id/take', async (req, res) => {
    const item = items.get(Number(req.params.id))
    const free = (item?.left ?? 0) > 0
    if (has('race')) {
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
        if (waiting.length < 2) return
        for (const go of waiting) go()
        waiting = []
      })
    }
    if (!item || !free) return send(res, 409, { code: 'sold-out' })
    item.left--
    send(res, 200, { taken: true })
  })
  return app
}
