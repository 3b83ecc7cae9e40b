/**
 * The two answers that promise that nothing was done, so that whoever asked may ask the other side:
 * `421 not-owner` and `503 fenced`, both with the header `Banyan-Refused`.
 */
import { Problem } from './problem.ts'

export type Side = 'monolith' | 'service'

const REFUSED = 'banyan-refused'

/**
 * @param context The context that was to be written.
 * @param owner What `banyan.owner` says in this database.
 * @param side The side that refuses.
 * @returns 421 if the other side owns the context; 503 with Retry-After if it is on the move, or ours but closed.
 */
export function refusal(context: string, owner: string, side: Side): Problem {
  const members = { context, owner }
  if (owner === 'moving' || owner === side)
    return new Problem(503, 'fenced', `${context} is being moved; nothing was done. Send the request again shortly.`, {
      ...members,
      headers: { 'Banyan-Refused': 'fenced', 'Retry-After': '1' },
    })
  return new Problem(421, 'not-owner', `${context} belongs to the ${owner} now; nothing was done. Ask it instead.`, {
    ...members,
    headers: { 'Banyan-Refused': 'not-owner' },
  })
}

/** @returns Whether an answer promises that nothing was done: 421 or 503 with `Banyan-Refused`. */
export function isRefusal(answer: { status: number; headers: Readonly<Record<string, unknown>> }): boolean {
  const reason = answer.headers[REFUSED]
  return (answer.status === 421 && reason === 'not-owner') || (answer.status === 503 && reason === 'fenced')
}

/** @returns Whether a thrown error promises that nothing was done: a refusal as a Problem, or the fence itself (BN001). */
export function isRefused(error: unknown): boolean {
  if (!(error instanceof Problem)) return (error as { code?: unknown } | null)?.code === 'BN001'
  const named = Object.entries(error.headers).map(([name, value]) => [name.toLowerCase(), value])
  return isRefusal({ status: error.status, headers: Object.fromEntries(named) })
}
