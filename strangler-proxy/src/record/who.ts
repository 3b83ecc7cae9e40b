import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Cookies } from '../cookies.ts'

/** A client's session, and the cookie its answer has to set where it got a new one. */
export interface Who {
  readonly session: string
  readonly setCookie: string | null
}

/** Decoding a token costs more than finding it again; so many are known at once. */
const TOKENS_AT_MOST = 10_000

/**
 * Whose session a request belongs to, so that sessions are recorded whole: the proxy's own cookie, else the subject of
 * the token, which needs no checking here, else a new session that the client is given.
 */
export function createWho(
  cookies: Pick<Cookies, 'session' | 'newSession'>,
): (req: IncomingMessage, known: string | null) => Who {
  const subjects = new Map<string, string>()
  return (req, known) => {
    const session = known ?? cookies.session(req.headers.cookie)
    if (session !== null) return { session, setCookie: null }
    const { authorization } = req.headers
    if (authorization === undefined) {
      const { id, setCookie } = cookies.newSession()
      return { session: id, setCookie }
    }
    const found = subjects.get(authorization) ?? subjectOf(authorization)
    if (subjects.size >= TOKENS_AT_MOST) subjects.clear()
    subjects.set(authorization, found)
    return { session: found, setCookie: null }
  }
}

/** Whether a session is among the share: always the same answer, and a greater share keeps all of a smaller one. */
export function isSampled(session: string, share: number): boolean {
  return createHash('sha256').update(session).digest().readUInt32BE(0) < share * 2 ** 32
}

function subjectOf(authorization: string): string {
  try {
    const claims = JSON.parse(Buffer.from(authorization.split('.')[1] ?? '', 'base64url').toString()) as {
      sub?: unknown
    }
    if (claims.sub !== undefined) return `user ${claims.sub}`
  } catch {
    // A token that is no JWT stands for itself.
  }
  return `token ${createHash('sha256').update(authorization).digest('base64url')}`
}
