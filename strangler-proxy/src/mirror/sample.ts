import type { Difference, MaskAnswers } from '@banyan/kit/parity/answers'
import type { Side } from '@banyan/kit/service'
import type { Copy } from './copy.ts'
import type { Judged } from './judge.ts'

/** A mismatch as it is kept: nothing secret or personal is in it. */
export interface Sample {
  /** ISO 8601. */
  readonly at: string
  readonly context: string
  /** The rule of the route table. */
  readonly route: string
  readonly method: string
  /** Masked: with a stand-in such as `‹email 3f2a81c09d4e›` in it, it cannot be asked again as it is. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Whether a token was sent. */
  readonly signedIn: boolean
  readonly owner: Side
  readonly answers: { readonly owner: unknown; readonly other: unknown }
  /** `left` is the owner's. */
  readonly differences: readonly Difference[]
}

const DIFFERENCES_AT_MOST = 50
const ANSWER_LENGTH_AT_MOST = 32 * 1024
const HEADERS = ['accept', 'accept-language', 'if-none-match']

export function toSample(copy: Copy, last: NonNullable<Judged['last']>, mask: MaskAnswers): Sample {
  const { before, aside } = last.round
  const question = { route: copy.path, method: copy.method, url: copy.url, headers: copy.headers }
  const kept = mask(question, [before, aside], last.open.slice(0, DIFFERENCES_AT_MOST))
  const [owner, other] = kept.documents.map(shortened)
  return {
    ...{ at: new Date().toISOString(), context: copy.context, route: copy.rule, method: copy.method, url: kept.url },
    headers: Object.fromEntries(Object.entries(kept.headers).filter(([name]) => HEADERS.includes(name))),
    signedIn: copy.headers.authorization !== undefined,
    owner: copy.owner,
    answers: { owner, other },
    differences: kept.differences,
  }
}

/** The body of a long answer is left out; what differs in it is among the differences. */
function shortened(document: unknown): unknown {
  if (JSON.stringify(document).length <= ANSWER_LENGTH_AT_MOST) return document
  return { ...(document as object), body: '(too long to be kept)' }
}
