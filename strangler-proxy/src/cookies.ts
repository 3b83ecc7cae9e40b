import { randomBytes } from 'node:crypto'
import type { Signer } from './sign.ts'

const SESSION = 'banyan-session'
const WRITTEN = 'banyan-written-'
const SESSION_SECONDS = 365 * 24 * 3600
const WRITTEN_SECONDS = 3600

/** Added to the control database's time at a write: clocks are read, and rows become visible, a little apart. */
export const WRITTEN_MARGIN_MS = 250

/** Times are rounded up to this, so that many writes share one signature. */
const STEP_MS = 50

/** The proxy's two cookies: who an anonymous client is, and when a client last wrote to a context. Both are signed. */
export interface Cookies {
  /** The anonymous session's id, or null without a valid cookie. */
  session(header: string | undefined): string | null
  newSession(): { readonly id: string; readonly setCookie: string }
  /** Control-database time (ms) that a heartbeat must pass before this client's reads may leave the owner, or null. */
  written(header: string | undefined, context: string): number | null
  /** @param nowMs the control database's time when the write had been answered */
  setWritten(context: string, nowMs: number): string
}

export function createCookies(signer: Signer, options: { readonly secure: boolean }): Cookies {
  const lastWritten = new Map<string, { readonly until: string; readonly setCookie: string }>()
  const attributes = `; Path=/; HttpOnly; SameSite=Lax${options.secure ? '; Secure' : ''}`
  return {
    session(header) {
      const value = readCookie(header, SESSION)
      return value === null ? null : signer.open(SESSION, value)
    },
    newSession() {
      const id = randomBytes(16).toString('base64url')
      return { id, setCookie: `${SESSION}=${signer.sign(SESSION, id)}; Max-Age=${SESSION_SECONDS}${attributes}` }
    },
    written(header, context) {
      const value = readCookie(header, WRITTEN + context)
      const text = value === null ? null : signer.open(WRITTEN + context, value)
      return text === null ? null : Number(text)
    },
    setWritten(context, nowMs) {
      const until = String(Math.ceil(nowMs / STEP_MS) * STEP_MS + WRITTEN_MARGIN_MS)
      const last = lastWritten.get(context)
      if (last?.until === until) return last.setCookie
      const setCookie = `${WRITTEN}${context}=${signer.sign(WRITTEN + context, until)}; Max-Age=${WRITTEN_SECONDS}${attributes}`
      lastWritten.set(context, { until, setCookie })
      return setCookie
    },
  }
}

/** The first cookie of that name in a Cookie header; null where there is none. */
export function readCookie(header: string | undefined, name: string): string | null {
  if (header === undefined) return null
  let from = 0
  while (from < header.length) {
    const end = header.indexOf(';', from)
    const stop = end === -1 ? header.length : end
    while (header[from] === ' ') from += 1
    if (header.startsWith(name, from) && header[from + name.length] === '=') {
      return header.slice(from + name.length + 1, stop).trim()
    }
    from = stop + 1
  }
  return null
}
