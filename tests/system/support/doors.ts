/** The ways in which a write reaches a side: through the proxy, straight at a side's API, straight at its database. */
import { request } from 'undici'
import type { Side, System } from './system.ts'

/** What is done to one product, which only one writer knows. */
export type Write = { sku: string; id?: number; do: 'insert' | 'update' | 'delete'; price: number }

/**
 * `accepted`: acknowledged. `refused`: it promised that nothing was done. `unknown`: no answer, or one that says
 * nothing; it may have happened, or may still happen.
 */
export type Outcome =
  | { kind: 'accepted'; id: number; side?: Side; term?: number; ownerSeen?: string }
  | { kind: 'refused' | 'absent'; why: string }
  | { kind: 'unknown'; why: string }

export type Door = { name: string; side?: Side; send(write: Write): Promise<Outcome> }

/** Longer than any hold and deadline of the proxy: what takes longer is a finding, not an answer to wait for. */
const PATIENCE_MS = 20_000

/**
 * A session that knows nothing of ownership, as a psql window or a cron job does.
 * @param options.where one more condition of each statement: where it is not true nothing is written, and the row is absent
 * @param options.category of what is inserted: a number where nothing is to be read for it
 */
export function databaseDoor(
  { sides }: System,
  side: Side,
  { where = 'true', category = '(select min(id) from categories)' } = {},
): Door {
  const text = {
    insert: `insert into products (sku, name, category_id, price_cents)
      select $1, 'Written by a test', ${category}, $2::int where ${where} returning id`,
    update: `update products set price_cents = $2 where sku = $1 and ${where} returning id`,
    delete: `delete from products where sku = $1 and $2::int is not null and ${where} returning id`,
  }
  return {
    name: `${side}'s database`,
    side,
    async send(write) {
      try {
        const { rows } = await sides[side].query(
          `with written as (${text[write.do]})
           select (select id::int from written) as id, owner, term::int from banyan.owner where context = 'inventory'`,
          [write.sku, write.price],
        )
        const { id, owner, term } = rows[0]
        if (id === null) return { kind: 'absent', why: `no row ${write.sku}` }
        return { kind: 'accepted', id, side, term, ownerSeen: owner }
      } catch (error) {
        const { code = '', message } = error as { code?: string; message: string }
        // A class of its own means that the server has answered, and rolled back; anything else may have happened. A
        // table is not there any more where its context has left for good.
        const answered = /^(BN001|40|23|55|25006|42P01)/.test(code)
        return { kind: answered ? 'refused' : 'unknown', why: `${code} ${message}` }
      }
    },
  }
}

/** @param token gives an administrator's bearer token, not older than a few minutes */
export function httpDoor(name: string, baseUrl: string, token: () => Promise<string>, side?: Side): Door {
  return {
    name,
    ...(side ? { side } : {}),
    async send({ sku, id, do: what, price }) {
      const [method, path, body] =
        what === 'insert'
          ? ([
              'POST',
              '/api/products',
              { sku, name: 'Written by a test', category: 'garden', priceCents: price },
            ] as const)
          : what === 'update'
            ? (['PATCH', `/api/products/${id}`, { priceCents: price }] as const)
            : (['DELETE', `/api/products/${id}`, undefined] as const)
      try {
        const answer = await request(`${baseUrl}${path}`, {
          method,
          headers: { authorization: `Bearer ${await token()}`, 'content-type': 'application/json' },
          signal: AbortSignal.timeout(PATIENCE_MS),
          ...(body ? { body: JSON.stringify(body) } : {}),
        })
        const text = await answer.body.text()
        const status = answer.statusCode
        if (status < 300) return { kind: 'accepted', id: id ?? JSON.parse(text).id, ...(side ? { side } : {}) }
        if (status === 404) return { kind: 'absent', why: text }
        const promised = answer.headers['banyan-refused'] !== undefined || status < 500
        return { kind: promised ? 'refused' : 'unknown', why: `${status} ${text.slice(0, 200)}` }
      } catch (error) {
        return { kind: 'unknown', why: (error as Error).message }
      }
    },
  }
}

/** An administrator's token, asked for again before it ends. */
export function adminToken({ stack }: System): () => Promise<string> {
  const { MONOLITH_URL, ADMIN_EMAIL, ADMIN_PASSWORD } = stack.env
  let token: { text: string; until: number } | undefined
  return async () => {
    if (token && Date.now() < token.until) return token.text
    const response = await fetch(`${MONOLITH_URL}/api/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: ADMIN_EMAIL, password: ADMIN_PASSWORD }),
    })
    const { accessToken } = (await response.json()) as { accessToken: string }
    token = { text: accessToken, until: Date.now() + 10 * 60_000 }
    return accessToken
  }
}
