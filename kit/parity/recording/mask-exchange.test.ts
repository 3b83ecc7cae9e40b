import { describe, expect, it } from 'vitest'
import { exchangeShape } from './format.ts'
import { type Captured, createMaskExchange } from './mask-exchange.ts'

const JWT = `eyJhbGciOiJFUzI1NiJ9.${Buffer.from('{"sub":"7","role":"admin","mail":"kim@example.com"}').toString('base64url')}.c2lnbmF0dXJl`
const json = (value: unknown) => ({ text: JSON.stringify(value), type: 'application/json' })
const captured = (more: Partial<Captured>): Captured => ({
  ...{ n: 0, at: 0, session: 'the session of Kim', route: null, method: 'POST', url: '/things' },
  ...{ headers: {}, status: 200, answerHeaders: {}, ...more },
})
const masker = () => createMaskExchange({ personal: { '': ['nickname'], '/notes': ['text'] }, claims: ['role'] })

describe('what is written of an exchange', () => {
  const secrets: Record<string, Partial<Captured>> = {
    'a password in JSON': { body: json({ login: { password: 'PLANTED-one' } }) },
    'a password that the answer repeats': {
      body: json({ password: 'PLANTED one two' }),
      answerBody: json({ id: 'PLANTED one two' }),
    },
    'a form': { body: { text: 'pin=PLANTED&api_key=PLANTED', type: 'application/x-www-form-urlencoded' } },
    'a query': { url: '/things?token=PLANTED&q=1' },
    'an e-mail address anywhere': {
      url: '/things/PLANTED%40example.com',
      body: json({ q: ['to PLANTED@example.com'] }),
    },
    'a segment of the path that the route calls secret': { url: '/resets/PLANTED', route: '/resets/:token' },
    'a member of every route': { body: json({ nick_name: 'PLANTED' }) },
    'a member of this route': { url: '/notes', route: '/notes', body: json({ text: 'PLANTED' }) },
    'a name and a street': {
      body: json({ firstName: 'PLANTED', address: { street: 'PLANTED', postcode: 'PLANTED' } }),
    },
    cookies: {
      headers: { cookie: 'sid=PLANTED; other=PLANTED2' },
      answerHeaders: { 'set-cookie': ['sid=PLANTED; Path=/'] },
    },
    'a cookie without a name': { headers: { cookie: 'PLANTED; other=PLANTED2' } },
    'an address that is the version of an answer': { answerHeaders: { etag: '"PLANTED@example.com"' } },
    'somebody of whom the first word says who it is': {
      body: json({ customerPhone: 'PLANTED', billing_city: 'PLANTED', ContactEmailAddress: 'PLANTED' }),
    },
    'a birthday, a line of an address and a surname': {
      body: json({ date_of_birth: 'PLANTED', dob: 'PLANTED', addressLine1: 'PLANTED', surname: 'PLANTED' }),
    },
    'a secret of which one word says so': {
      body: json({ smsOtp: 'PLANTED', pin_code: 'PLANTED', accessKey: 'PLANTED', 'db-pwd': 'PLANTED' }),
    },
    'a token that is no JWT': { headers: { authorization: 'Bearer PLANTED' } },
    'a name and password for HTTP': { headers: { authorization: 'Basic UExBTlRFRDpQTEFOVEVE' } },
    'headers that nobody asked for': { headers: { 'x-api-key': 'PLANTED', 'x-forwarded-for': 'PLANTED' } },
    'what is not JSON': { body: { text: '<password>PLANTED</password>', type: 'text/xml' } },
    'JSON that cannot be read': { body: { text: '{"password":"PLANTED', type: 'application/json' } },
    'JSON within a text': { body: json({ payload: '{"password":"PLANTED"}' }) },
    'a pair within a text': { body: json({ note: 'use password=PLANTED here' }) },
    'what the answer says of people': { answerBody: json({ name: 'PLANTED', notes: [{ body: 'PLANTED' }] }) },
    'a token that the answer hands out': { answerBody: json({ accessToken: 'PLANTED' }) },
    'the name of a member': { body: json({ 'PLANTED@example.com': 1 }) },
    'the subject of a token': { headers: { authorization: `Bearer ${JWT}` } },
  }
  it.each(Object.keys(secrets))('holds not %s', (name) => {
    const line = JSON.stringify(masker()(captured(secrets[name]!)))
    expect(line).not.toMatch(/PLANTED|UExBTlRFRDpQTEFOVEVE|kim@|eyJ|session of Kim/)
    expect(exchangeShape.parse(JSON.parse(line))).toBeTruthy()
  })

  it('holds no card number, phone, key or long word, with or without a telling name', () => {
    const body = { a: '4111 1111 1111 1111', b: 4111111111111111, c: '+49 170 1234567', d: 'sk_live_abcdefgh12345678' }
    const long = 'q1w2e3r4t5y6u7i8o9p0a1s2d3f4g5h6j7'
    const line = JSON.stringify(masker()(captured({ url: `/things/${long}`, body: json({ ...body, e: long }) })))
    expect(line).not.toMatch(/4111|1234567|sk_live|q1w2e3r4/)
  })

  it('remembers a secret that was once named, and finds it where nothing gives it away', () => {
    const mask = masker()
    mask(captured({ body: json({ password: 'opensesame42' }) }))
    const later = mask(
      captured({ n: 1, url: '/search?q=opensesame42', body: json({ words: ['say opensesame42 now'] }) }),
    )
    expect(JSON.stringify(later)).not.toContain('opensesame42')
  })

  it('keeps what is no secret, and the ids of the answer alone', () => {
    const id = '6f1f4a86-5a8e-4d0e-9a2b-0d2f6c9f1e11'
    const recorded = masker()(
      captured({
        url: `/things/17/parts?size=5&size=6`,
        headers: { 'accept-language': 'de', authorization: `Bearer ${JWT}`, cookie: 'banyan-session=x' },
        body: json({ sku: 'KIT-0001', priceCents: 1999, ref: id, pinned: 'yes', capacity: 'much', inside: 'no' }),
        status: 201,
        answerHeaders: { etag: 'W/"2f"' },
        answerBody: json({ id: 61, name: 'Kettle', ownerId: 9, items: [{ id: 62, sold: false }], key: id }),
      }),
    )
    expect(recorded).toMatchObject({
      ...{ path: '/things/17/parts', query: { size: ['5', '6'] }, headers: { 'accept-language': 'de' } },
      claims: { role: 'admin' },
      body: { json: { sku: 'KIT-0001', priceCents: 1999, ref: id, pinned: 'yes', capacity: 'much', inside: 'no' } },
    })
    expect(recorded.cookies).toBeUndefined()
    expect(recorded.answer).toEqual({
      status: 201,
      ids: {
        ...{ '$.body.id': 61, '$.body.ownerId': 9, '$.body.items[0].id': 62, '$.body.key': id },
        '$.headers.etag': 'W/"2f"',
      },
    })
  })

  it('writes the version of an answer as it writes that which a client sends back', () => {
    const etag = `"${'0123456789abcdef'.repeat(4)}"`
    const mask = masker()
    const got = mask(captured({ answerHeaders: { etag } })).answer.ids?.['$.headers.etag']
    expect(got).not.toContain('0123456789abcdef')
    expect(mask(captured({ n: 1, headers: { 'if-match': etag } })).headers?.['if-match']).toBe(got)
  })

  it('says the same of the same secret, and another thing in the next recording', () => {
    const mask = masker()
    const login = mask(captured({ body: json({ email: 'kim@example.com' }), answerBody: json({ token: JWT }) }))
    const next = mask(captured({ n: 1, headers: { authorization: `Bearer ${JWT}` }, url: '/people?q=kim@example.com' }))
    expect(next.token).toBe(login.answer.ids?.['$.body.token'])
    expect(next.query?.q).toEqual([(login.body as { json: { email: string } }).json.email])
    const other = masker()(captured({ headers: { authorization: `Bearer ${JWT}` } }))
    expect(other.user).not.toBe(next.user)
  })
})
