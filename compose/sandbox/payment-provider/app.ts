import { randomUUID, timingSafeEqual } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import { z } from 'zod'
import { type Charge, heldCents, type Ledger } from './ledger.ts'
import { outcomeOf } from './outcome.ts'

const Key = z.string().regex(/^[\w.:/-]{1,200}$/)
const NewCharge = z.object({
  amountCents: z.int().min(1).max(100_000_000),
  token: z.string().max(64),
  reference: z.string().max(200),
})
const NewRefund = z.object({ amountCents: z.int().min(1).max(100_000_000).optional() })

type Options = {
  ledger: Ledger
  apiKey: string
  /** How long `tok_timeout` keeps its first caller waiting, in milliseconds. */
  lateMs: number
}

/** The provider's HTTP interface. Every answer about money is on the disk before it is given. */
export const createPaymentProvider = ({ ledger, apiKey, lateMs }: Options): Express => {
  const attempts = new Map<string, number>()
  const app = express()
  app.disable('x-powered-by')
  app.get('/health/live', (_req, res) => void res.json({ status: 'up' }))
  app.get('/health/ready', (_req, res) => void res.json({ status: 'up' }))
  app.use((req, res, next) => (knows(apiKey, req) ? next() : refuse(res, 401, 'unauthorized', 'unknown API key')))
  app.use(express.json({ limit: '16kb' }))

  app.post('/charges', async (req, res) => {
    const key = Key.safeParse(req.get('idempotency-key'))
    if (!key.success) return refuse(res, 400, 'idempotency-key-required', 'send an Idempotency-Key header')
    const wanted = NewCharge.safeParse(req.body)
    if (!wanted.success) return refuse(res, 422, 'invalid-request', z.prettifyError(wanted.error))
    const known = ledger.get(key.data)
    if (known?.voided && !known.made)
      return refuse(res, 409, 'charge-voided', 'this charge was cancelled before it was made')
    if (known?.made) {
      const { amountCents, token, reference } = known.made
      const same =
        amountCents === wanted.data.amountCents && token === wanted.data.token && reference === wanted.data.reference
      if (!same) return refuse(res, 422, 'idempotency-key-reused', 'this key was used for another charge')
      await ledger.settled(key.data)
      return answer(res, key.data, known)
    }
    const attempt = (attempts.get(key.data) ?? 0) + 1
    const outcome = outcomeOf(wanted.data.token, attempt, key.data)
    if (outcome === undefined) return refuse(res, 422, 'unknown-token', 'the sandbox does not know this token')
    if (outcome === 'fail') {
      if (attempts.size >= 10_000) attempts.clear()
      attempts.set(key.data, attempt)
      return refuse(res, 500, 'provider-fault', 'the provider failed; nothing was charged')
    }
    await ledger.record({
      kind: outcome === 'decline' ? 'decline' : 'charge',
      at: new Date().toISOString(),
      key: key.data,
      id: `ch_${randomUUID()}`,
      ...wanted.data,
    })
    if (outcome === 'approve-late') await sleep(lateMs)
    return answer(res, key.data, ledger.get(key.data)!)
  })

  app.get('/charges/:key', async (req, res) => {
    const charge = ledger.get(req.params.key)
    if (!charge) return refuse(res, 404, 'no-such-charge', 'nothing is known of this key')
    await ledger.settled(req.params.key)
    res.json(shown(req.params.key, charge))
  })

  // Idempotent by its own Idempotency-Key; without one the refund is the charge's only one.
  app.post('/charges/:key/refunds', async (req, res) => {
    const { key } = req.params
    const wanted = NewRefund.safeParse(req.body ?? {})
    const refundKey = Key.safeParse(req.get('idempotency-key') ?? 'refund')
    if (!wanted.success || !refundKey.success)
      return refuse(res, 422, 'invalid-request', 'amountCents is a whole number of cents')
    const charge = ledger.get(key)
    if (charge?.made?.kind !== 'charge') return refuse(res, 404, 'no-such-charge', 'there is no charge to refund')
    const earlier = charge.refunds.find((refund) => refund.refundKey === refundKey.data)
    const amountCents = wanted.data.amountCents ?? earlier?.amountCents ?? heldCents(charge)
    if (earlier && earlier.amountCents !== amountCents)
      return refuse(res, 422, 'idempotency-key-reused', 'this key was used for another refund')
    if (!earlier) {
      if (amountCents === 0 || amountCents > heldCents(charge))
        return refuse(res, 409, 'refund-too-large', `the charge holds ${heldCents(charge)} cents`)
      await refund(ledger, key, refundKey.data, amountCents)
    }
    await ledger.settled(key)
    res.status(201).json(shown(key, charge))
  })

  // Whatever became of the charge, afterwards it holds nothing and never will: a charge not made yet leaves a
  // tombstone, so that a request still on its way finds it.
  app.post('/charges/:key/cancel', async (req, res) => {
    const { key } = req.params
    if (!Key.safeParse(key).success) return refuse(res, 422, 'invalid-request', 'not a charge key')
    const charge = ledger.get(key)
    if (charge === undefined) await ledger.record({ kind: 'void', at: new Date().toISOString(), key })
    else if (heldCents(charge) > 0) await refund(ledger, key, 'cancel', heldCents(charge))
    await ledger.settled(key)
    res.json(shown(key, ledger.get(key)!))
  })

  app.get('/ledger', (_req, res) => void res.json({ entries: ledger.entries }))
  app.use((_req, res) => refuse(res, 404, 'not-found', 'no such route'))
  app.use((error: Error & { status?: number }, _req: Request, res: Response, _next: NextFunction) =>
    refuse(res, error.status ?? 500, error.status ? 'malformed-request' : 'internal', error.message),
  )
  return app
}

const refund = (ledger: Ledger, key: string, refundKey: string, amountCents: number): Promise<void> =>
  ledger.record({
    kind: 'refund',
    at: new Date().toISOString(),
    key,
    id: `re_${randomUUID()}`,
    amountCents,
    refundKey,
  })

const shown = (key: string, charge: Charge) => ({
  key,
  id: charge.made?.id ?? null,
  status: charge.made === undefined ? 'voided' : charge.made.kind === 'charge' ? 'approved' : 'declined',
  amountCents: charge.made?.amountCents ?? 0,
  refundedCents: charge.refunds.reduce((sum, one) => sum + one.amountCents, 0),
  reference: charge.made?.reference ?? null,
})

const answer = (res: Response, key: string, charge: Charge): void => {
  if (charge.made?.kind === 'decline') refuse(res, 402, 'card-declined', 'the card was declined')
  else res.status(201).json(shown(key, charge))
}

const refuse = (res: Response, status: number, code: string, detail: string): void => {
  res.status(status).json({ status, code, detail })
}

const knows = (apiKey: string, req: Request): boolean => {
  const sent = Buffer.from(req.get('authorization')?.replace(/^Bearer /, '') ?? '')
  const wanted = Buffer.from(apiKey)
  return sent.length === wanted.length && timingSafeEqual(sent, wanted)
}
