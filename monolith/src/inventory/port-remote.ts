import { type Call, CallError, type Caller, failPoint, isRefusal, NotSent, Problem, problem } from '@banyan/kit/service'
import type { RemoteInventory } from './port.ts'
import type { ProductSummary } from './products.ts'
import type { Reservation } from './reservation.ts'

type Options = { caller: Caller; deadlineMs?: number }

/**
 * Inventory over HTTP. What the service answers as a problem is thrown as the same Problem, as if it had happened here;
 * of a call without an answer the code says what to assume: `inventory-unreachable` (503: nothing was done),
 * `inventory-unclear` (504: it may have been done, and asking again finds out, since every call is idempotent by order).
 * @param options.deadlineMs for one call with its retries; 2,000 unless told
 */
export function createRemoteInventory({ caller, deadlineMs = 2_000 }: Options): RemoteInventory {
  async function call<T>(name: string, call: Omit<Call, 'method'> & { method?: string }): Promise<T> {
    await failPoint(`remote-inventory.before-${name}`)
    const answer = await caller.call({ method: 'POST', deadlineMs, ...call }).catch((error) => {
      throw error instanceof CallError ? unanswered(error) : error
    })
    await failPoint(`remote-inventory.after-${name}`)
    if (answer.status >= 200 && answer.status < 300) return answer.body as T
    throw asProblem(answer)
  }

  return {
    reserve: (request) =>
      call<Reservation>('reserve', {
        path: '/internal/reservations',
        body: request,
        idempotencyKey: `reserve-${request.orderId}`,
      }),
    confirm: (orderId) =>
      call<Reservation>('confirm', {
        path: `/internal/reservations/${orderId}/confirm`,
        idempotencyKey: `confirm-${orderId}`,
      }),
    release: (orderId) =>
      call<Reservation>('release', {
        path: `/internal/reservations/${orderId}/release`,
        idempotencyKey: `release-${orderId}`,
      }),
    async lookup(ids) {
      if (ids.length === 0) return []
      // A read, only too long for a URL: it may be sent again under any key.
      const found = await call<{ items: ProductSummary[] }>('lookup', {
        path: '/internal/products/lookup',
        body: { ids },
        idempotencyKey: 'lookup',
      })
      return found.items
    },
  }
}

/** Stands where no service is configured: the shop as one process owns inventory itself and never comes here. */
export function noRemoteInventory(): RemoteInventory {
  const unreachable = async () => {
    throw problem(503, 'inventory-unreachable', 'inventory has moved, and INVENTORY_SERVICE_URL does not say where')
  }
  return { reserve: unreachable, confirm: unreachable, release: unreachable, lookup: unreachable }
}

function unanswered(cause: CallError): Problem {
  const headers = { 'Retry-After': '1' }
  return cause instanceof NotSent
    ? problem(503, 'inventory-unreachable', 'Inventory cannot be reached; nothing was done. Try again.', {
        cause,
        headers,
      })
    : problem(504, 'inventory-unclear', 'Inventory did not answer; it may have been done. Ask again.', {
        cause,
        headers,
      })
}

function asProblem(answer: Awaited<ReturnType<Caller['call']>>): Problem {
  const { type, title, status, code, detail, instance, traceId, ...members } = (
    typeof answer.body === 'object' ? answer.body : {}
  ) as Record<string, unknown>
  const refused = isRefusal(answer)
  // A 401 or 403 is about this process's own token: told to the shop's client, it would read as if theirs were wrong.
  const ours = answer.status === 401 || answer.status === 403
  if (typeof code !== 'string' || ours || (answer.status >= 500 && !refused)) {
    return problem(503, 'inventory-unreachable', `inventory answered ${answer.status}; try again`, {
      headers: { 'Retry-After': '1' },
    })
  }
  const headers = Object.fromEntries(
    ['Banyan-Refused', 'Retry-After'].flatMap((name) => {
      const value = refused ? answer.headers[name.toLowerCase()] : undefined
      return typeof value === 'string' ? [[name, value]] : []
    }),
  )
  return new Problem(answer.status, code, String(detail ?? ''), { ...members, headers })
}
