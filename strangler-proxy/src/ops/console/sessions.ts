import { randomBytes } from 'node:crypto'
import { readCookie } from '../../cookies.ts'
import type { Operator, Role } from './operators.ts'

export type Session = {
  readonly id: string
  readonly name: string
  readonly role: Role
  /** What a request that changes something must show, and only a page of this origin can read. */
  readonly csrf: string
  /** By this process's clock. */
  readonly endsAt: number
}

/** Who is logged in at this proxy. They live in memory: a proxy that restarts asks again. */
export type Sessions = {
  open(operator: Operator): { readonly session: Session; readonly setCookie: string }
  /** The living session of a request's Cookie header, or null. */
  of(cookieHeader: string | undefined): Session | null
  isOpen(session: Session): boolean
  /** @returns the Set-Cookie header that takes the cookie away */
  end(session: Session): string
}

const COOKIE = 'banyan-console'
/** Cookies know no ports: below this path the shop's door on the same host is not sent them. */
const PATH = '/console'
/** Of one name. */
const MOST = 20

/** @param options.lifeMs how long after its login a session ends */
export function createSessions(options: { readonly lifeMs: number; readonly secure: boolean }): Sessions {
  const known = new Map<string, Session>()
  const attributes = `; Path=${PATH}; HttpOnly; SameSite=Strict${options.secure ? '; Secure' : ''}`
  const isOpen = (session: Session) => known.get(session.id) === session && performance.now() < session.endsAt
  const makeRoom = (name: string) => {
    for (const session of known.values()) if (!isOpen(session)) known.delete(session.id)
    // Whoever logs in again and again shuts out their own oldest sessions, and does not fill the memory.
    const own = [...known.values()].filter((session) => session.name === name)
    if (own.length >= MOST) known.delete(own[0]!.id)
  }
  return {
    open({ name, role }) {
      makeRoom(name)
      const secret = () => randomBytes(32).toString('base64url')
      const session = { id: secret(), name, role, csrf: secret(), endsAt: performance.now() + options.lifeMs }
      known.set(session.id, session)
      const seconds = Math.floor(options.lifeMs / 1000)
      return { session, setCookie: `${COOKIE}=${session.id}; Max-Age=${seconds}${attributes}` }
    },
    of(cookieHeader) {
      const session = known.get(readCookie(cookieHeader, COOKIE) ?? '')
      return session && isOpen(session) ? session : null
    },
    isOpen,
    end({ id }) {
      known.delete(id)
      return `${COOKIE}=; Max-Age=0${attributes}`
    },
  }
}
