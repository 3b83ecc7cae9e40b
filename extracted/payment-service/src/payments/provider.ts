import { CallError, problem } from '@banyan/kit/service'
import { z } from 'zod'
import type { ProviderState } from './payment.ts'

/** The provider's answer to a charge, or why there is none that could be trusted. */
export type PaymentProvider = {
  /** @returns `cancelled` when a cancellation came first, `differs` when the key stands for another charge already */
  charge(charge: {
    key: string
    amountCents: number
    token: string
    reference: string
  }): Promise<{ outcome: 'approved'; ref: string } | { outcome: 'declined' | 'cancelled' | 'differs' }>
  /** Afterwards the charge holds nothing, and never will. */
  cancel(key: string): Promise<ProviderState>
  /** @returns false when the charge does not hold that much */
  refund(key: string, refundKey: string, amountCents: number): Promise<boolean>
}

const State = z.object({
  id: z.string().nullable(),
  status: z.enum(['approved', 'declined', 'voided']),
  amountCents: z.int(),
  refundedCents: z.int(),
})

/** As much of the kit's caller as is used here. */
type Call = (request: {
  method: string
  path: string
  body?: unknown
  idempotencyKey?: string
}) => Promise<{ status: number; body: unknown }>

/**
 * The provider over HTTP. Whatever is not a clear answer is thrown as Problem 504 `payment-unclear`: it may have been
 * done, and asking again under the same key finds out.
 *
 * @param send has the provider's base URL, key and deadline
 */
export const createPaymentProvider = (send: Call): PaymentProvider => {
  const call: Call = (request) =>
    send(request).catch((error) => {
      throw error instanceof CallError ? unclear(error) : error
    })
  return overHttp(call)
}

const overHttp = (call: Call): PaymentProvider => ({
  async charge({ key, ...body }) {
    const answer = await call({ method: 'POST', path: '/charges', body, idempotencyKey: key })
    if (answer.status === 201) return { outcome: 'approved', ref: State.parse(answer.body).id ?? '' }
    if (answer.status === 409) return { outcome: 'cancelled' }
    if (codeOf(answer.body) === 'idempotency-key-reused') return { outcome: 'differs' }
    if (answer.status === 402 || codeOf(answer.body) === 'unknown-token') return { outcome: 'declined' }
    throw unclear(notAsDocumented('charge', answer))
  },
  async cancel(key) {
    const answer = await call({
      method: 'POST',
      path: `/charges/${encodeURIComponent(key)}/cancel`,
      idempotencyKey: key,
    })
    if (answer.status !== 200) throw unclear(notAsDocumented('cancel', answer))
    return State.parse(answer.body)
  },
  async refund(key, refundKey, amountCents) {
    const path = `/charges/${encodeURIComponent(key)}/refunds`
    const answer = await call({ method: 'POST', path, body: { amountCents }, idempotencyKey: refundKey })
    if (answer.status === 201) return true
    if (answer.status === 409 || answer.status === 404) return false
    throw unclear(notAsDocumented('refund', answer))
  },
})

const codeOf = (body: unknown): unknown => (body as { code?: unknown } | null)?.code

/** Nobody here knows what the provider has done. */
export const unclear = (cause: Error) =>
  problem(504, 'payment-unclear', 'The payment provider gave no clear answer; it may have been done. Ask again.', {
    cause,
    headers: { 'Retry-After': '1' },
  })

const notAsDocumented = (what: string, { status, body }: { status: number; body: unknown }): Error =>
  new Error(`payment provider answered ${status} ${codeOf(body) ?? ''} to a ${what}`)
