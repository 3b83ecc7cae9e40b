/** What the sandbox does with a charge, read from its token alone, so that a test can ask for any behaviour. */
export type Outcome = 'approve' | 'decline' | 'approve-late' | 'fail'

const TOKENS: Record<string, (attempt: number, key: string) => Outcome> = {
  tok_visa: () => 'approve',
  tok_declined: () => 'decline',
  tok_timeout: () => 'approve-late',
  tok_flaky: (attempt, key) => (attempt <= failuresOf(key) ? 'fail' : 'approve'),
}

/** One or two failures, always the same number for the same key. */
const failuresOf = (key: string): number => 1 + ([...key].reduce((sum, char) => sum + char.charCodeAt(0), 0) % 2)

/**
 * @param attempt counts from 1 for every key
 * @returns undefined for a token the sandbox does not know
 */
export const outcomeOf = (token: string, attempt: number, key: string): Outcome | undefined =>
  Object.hasOwn(TOKENS, token) ? TOKENS[token]!(attempt, key) : undefined
