import { gradeError, type Outcome } from '@banyan/kit/saga'
import { isRefused, Problem } from '@banyan/kit/service'

/** By these a callee refuses what is asked; by others (401, 429, 5xx, …) it only does not answer, for now. */
const JUDGES = new Set([400, 402, 404, 409, 410, 422])

/**
 * What an error of a port says about what was done. A problem of the client's class means that nothing was, for good;
 * a refusal by owner or fence that nothing was, for now. All else is unknown.
 */
export const gradePortError = (error: unknown): Exclude<Outcome, { kind: 'done' }> => {
  if (saysLater(error)) return { kind: 'later', message: (error as Error).message }
  if (!(error instanceof Problem) || !JUDGES.has(error.status)) return gradeError(error)
  const { code, detail: message, status, members } = error
  return { kind: 'refused', reason: { code, message, detail: { status, members } } }
}

/** A refusal; or the owner came back to this very process while we were about to call the other. */
const saysLater = (error: unknown): boolean =>
  isRefused(error) || (error as { reason?: unknown } | null)?.reason === 'owner-is-here'
