/** What the shop holds at the end: rows of both sides' databases, the payment provider's entries, accepted e-mails. */
import { connected } from '../provision/database.ts'

export type Stock = Map<number, { available: number; reserved: number }>

export type Holdings = {
  orders: {
    id: number
    key: string
    status: string
    totalCents: number
    lines: { productId: number; quantity: number }[]
  }[]
  /** The owner's. */
  stock: Stock
  reservations: { orderId: number; status: string; lines: { productId: number; quantity: number }[] }[]
  /** Cents that the shop believes it holds, per order. */
  payments: Map<number, number>
  /** Cents that the provider holds, per order. */
  provider: Map<number, number>
  /** Events that an e-mail follows from, with the order they are about. */
  mailEvents: { eventId: string; type: string; orderId: number }[]
  /** How many e-mails were accepted, per event. */
  mails: Map<string, number>
}

export type Places = {
  /** The shop's database, and by context that of its service; as roles that may read. */
  shopUrl: string
  serviceUrls: Readonly<Record<string, string>>
  /** The sandbox processes' HTTP addresses. */
  paymentsUrl: string
  paymentsKey: string
  mailUrl: string
}

/** E-mails follow from these. */
const MAIL_EVENTS = ['OrderPlaced', 'OrderCancelled', 'ShipmentDispatched']

/** Reads the stock of the side that owns inventory now. */
export async function readStock(places: Places): Promise<Stock> {
  const rows = await readOwned(places, 'inventory', 'select product_id::int as id, available, reserved from stock')
  return new Map(rows.map((row) => [row.id, { available: row.available, reserved: row.reserved }]))
}

/** Reads everything, each part once, and of each context from the side that owns it. */
export async function readHoldings(places: Places): Promise<Holdings> {
  const [orders, payments, reservations, stock, mailEvents, provider, mails] = await Promise.all([
    readOwned(places, 'orders', ORDERS),
    readOwned(places, 'payments', PAYMENTS),
    readOwned(places, 'inventory', 'select order_id::int as "orderId", status, lines from reservations'),
    readStock(places),
    readMailEvents(places),
    readProvider(places),
    readMails(places),
  ])
  return {
    orders: orders.map((row) => ({ ...row, lines: row.lines ?? [] })),
    payments: new Map(payments.map((row) => [row.id, row.cents])),
    reservations,
    stock,
    mailEvents,
    provider,
    mails,
  }
}

const ORDERS = `
  select o.id::int as id, o.idempotency_key as key, o.status, o.total_cents as "totalCents",
    (select jsonb_agg(jsonb_build_object('productId', i.product_id, 'quantity', i.quantity))
     from order_items i where i.order_id = o.id) as lines
  from orders o order by o.id`

const PAYMENTS = `
  select order_id::int as id, case when status in ('captured', 'refunded') then amount_cents - refunded_cents
    else 0 end as cents from payments`

// A row has the shape its query gives it; the compiler cannot know it.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Rows = any[]

async function readOwned(places: Places, context: string, query: string): Promise<Rows> {
  return await connected(await ownerUrl(places, context), async (db) => (await db.query(query)).rows)
}

/** The database whose side owns the context: the shop's own word, which stays when the context has left for good. */
async function ownerUrl({ shopUrl, serviceUrls }: Places, context: string): Promise<string> {
  const service = serviceUrls[context]
  if (service === undefined) return shopUrl
  return await connected(shopUrl, async (db) => {
    const { rows } = await db.query('select owner from banyan.owner where context = $1', [context])
    return rows[0]?.owner === 'service' ? service : shopUrl
  })
}

/** Each side has appended its own. */
async function readMailEvents({ shopUrl, serviceUrls }: Places): Promise<Holdings['mailEvents']> {
  const query = `select event_id as "eventId", type, (payload->>'orderId')::int as "orderId"
    from banyan.outbox where type = any($1)`
  const read = (url: string) => connected(url, async (db) => (await db.query(query, [MAIL_EVENTS])).rows)
  return (await Promise.all([shopUrl, ...Object.values(serviceUrls)].map(read))).flat()
}

type Entry = { kind: 'charge' | 'decline' | 'refund' | 'void'; key: string; amountCents: number }

async function readProvider({ paymentsUrl, paymentsKey }: Places): Promise<Map<number, number>> {
  const response = await fetch(`${paymentsUrl}/ledger`, { headers: { authorization: `Bearer ${paymentsKey}` } })
  const { entries } = (await response.json()) as { entries: Entry[] }
  const held = new Map<number, number>()
  for (const { kind, key, amountCents } of entries) {
    const order = Number(/\d+$/.exec(key)?.[0])
    const sign = kind === 'charge' ? 1 : kind === 'refund' ? -1 : 0
    held.set(order, (held.get(order) ?? 0) + sign * (amountCents ?? 0))
  }
  return held
}

async function readMails({ mailUrl }: Places): Promise<Map<string, number>> {
  const { messages } = (await (await fetch(`${mailUrl}/messages`)).json()) as { messages: { eventId: string | null }[] }
  const counts = new Map<string, number>()
  for (const { eventId } of messages) if (eventId) counts.set(eventId, (counts.get(eventId) ?? 0) + 1)
  return counts
}
