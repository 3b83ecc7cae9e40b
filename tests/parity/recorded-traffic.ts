/** An hour at the shop in a minute, with a secret in every place where a client can put one. */

export const PLANTED = 'planted'

export type Asked = {
  /** Without those that the proxy answered itself, which go nowhere and are not recorded. */
  requests: number
  secrets: string[]
}

/** Two people and a passer-by, at once; an administrator makes what the others look at. */
export async function recordedTraffic(url: string, admin: { email: string; password: string }): Promise<Asked> {
  const secrets = new Set<string>([admin.password])
  let requests = 0
  const ask = async (line: string, sent: { as?: string; body?: unknown; headers?: Record<string, string> } = {}) => {
    const [method, path] = line.split(' ') as [string, string]
    const answer = await fetch(url + path, {
      method,
      headers: {
        ...(sent.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(sent.as ? { authorization: `Bearer ${sent.as}` } : {}),
        ...sent.headers,
      },
      ...(sent.body === undefined ? {} : { body: JSON.stringify(sent.body) }),
    })
    const text = await answer.text()
    if (!text.includes('"invalid-token"')) requests++
    return { status: answer.status, json: (text ? JSON.parse(text) : null) as Record<string, unknown> }
  }
  const logIn = async (email: string, password: string) => {
    const { json } = await ask('POST /api/sessions', { body: { email, password } })
    for (const [name, value] of Object.entries(json)) if (/token$/i.test(name)) secrets.add(String(value))
    return String(json.accessToken)
  }

  const person = {
    email: `${PLANTED}.person@example.com`,
    password: `${PLANTED} pass-word 1`,
    name: `${PLANTED} Person`,
  }
  for (const value of Object.values(person)) secrets.add(value)
  const made = await ask('POST /api/users', { body: person })
  if (made.status !== 201) throw new Error(`no account was made: ${made.status} ${JSON.stringify(made.json)}`)
  const [boss, customer] = [await logIn(admin.email, admin.password), await logIn(person.email, person.password)]

  const product = { sku: 'REC-1', name: 'Recorded kettle', category: 'kitchen', priceCents: 1999, available: 3 }
  const { json: kettle } = await ask('POST /api/products', { as: boss, body: product })
  if (typeof kettle.id !== 'number') throw new Error(`no product was made: ${JSON.stringify(kettle)}`)
  const cookie = { cookie: `sid=${PLANTED}-cookie; other=${PLANTED}-other` }
  await ask('GET /api/categories', { headers: cookie })
  const { json: list } = await ask('GET /api/products?size=5&sort=price', { headers: cookie })
  const [first] = list.items as { id: number }[]
  await ask(`GET /api/products/${first!.id}`)
  await ask(`GET /api/products/${kettle.id}`, { as: customer, headers: { 'x-api-key': `${PLANTED}-key` } })
  await ask(`GET /api/products?q=${PLANTED}.search%40example.com&token=${PLANTED}-query`)
  await ask('GET /api/products?q=REC-1', { as: customer })
  await ask(`PATCH /api/products/${kettle.id}`, {
    ...{ as: boss, headers: { cookie: `sid=${PLANTED}-cookie` } },
    body: { priceCents: 2499, description: `ask ${PLANTED}.owner@example.com, password=${PLANTED}-said` },
  })
  await ask(`POST /api/products/${kettle.id}/stock-adjustments`, {
    as: boss,
    body: { delta: 2, reason: 'more arrived' },
  })
  await ask(`POST /api/products/${kettle.id}/stock-adjustments`, { as: customer, body: { delta: 2, reason: 'mine' } })
  await ask('POST /api/products', { as: boss, body: { ...product, password: `${PLANTED}-member` } })
  await ask('POST /api/products', { as: 'eyJwbGFudGVk.eyJwbGFudGVk.cGxhbnRlZA', body: product })
  const shippingAddress = {
    ...{ name: `${PLANTED} Receiver`, line1: `${PLANTED} street 7`, line2: `${PLANTED} floor` },
    ...{ postalCode: `${PLANTED}1`, city: `${PLANTED} town`, country: 'DE' },
  }
  // Of another product: in the world of a replay nobody has ordered one that is deleted below.
  const items = [{ productId: first!.id, quantity: 1 }]
  const order = { items, paymentToken: 'tok_visa', shippingAddress }
  const placed = await ask('POST /api/orders', { as: customer, headers: { 'idempotency-key': 'REC-1' }, body: order })
  if (placed.status !== 202) throw new Error(`no order was placed: ${placed.status} ${JSON.stringify(placed.json)}`)
  await ask(`GET /api/products/${kettle.id}`)
  await ask(`DELETE /api/products/${kettle.id}`, { as: boss })
  await ask(`GET /api/products/${kettle.id}`)
  secrets.add('eyJwbGFudGVk')
  return { requests, secrets: [...secrets, PLANTED] }
}
