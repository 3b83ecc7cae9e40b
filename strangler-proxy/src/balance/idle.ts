import type { Socket } from 'node:net'
import type { Group } from './group.ts'
import type { Upstream } from './upstream.ts'

/**
 * Below the 5 s after which Node, and much else, closes an idle connection: a write that is sent into a connection just
 * being closed can neither be answered nor sent again.
 */
export const IDLE_MS = 4_000
/** An upstream that announces how long it waits is left this much earlier. */
const AHEAD_MS = 1_000
const LOOK_MS = 250

/**
 * Closes the connections of all groups that nobody has used for a while. One look at all of them now and then costs a
 * request nothing; an agent's own timeout sets a timer anew at each of its reads and writes.
 * @param idleMs Milliseconds that a connection may be idle, if its upstream does not announce fewer.
 */
export function closeIdle(groups: () => readonly Group[], idleMs = IDLE_MS): { close(): void } {
  const seen = new WeakMap<Socket, { readonly bytes: number; readonly at: number }>()
  const look = () => {
    const now = performance.now()
    for (const group of groups()) {
      for (const upstream of group.instances()) {
        // A connection fell idle up to one look before it was seen to be, and is closed up to one look too late.
        const mayBeIdleMs = Math.min(idleMs, announcedMs(upstream)) - 2 * LOOK_MS
        for (const socket of freeOf(upstream)) {
          const bytes = socket.bytesWritten
          const before = seen.get(socket)
          if (before?.bytes !== bytes) seen.set(socket, { bytes, at: now })
          else if (now - before.at >= mayBeIdleMs) socket.destroy()
        }
      }
    }
  }
  const timer = setInterval(look, LOOK_MS).unref()
  return { close: () => clearInterval(timer) }
}

function announcedMs({ keepAlive }: Upstream): number {
  const seconds = /(?:^|[ ,])timeout=(\d+)/.exec(String(keepAlive ?? ''))?.[1]
  return seconds === undefined ? Number.POSITIVE_INFINITY : Number(seconds) * 1_000 - AHEAD_MS
}

/** Closes the connections that nobody uses; those in use finish. */
export function dropIdle(upstream: Upstream): void {
  for (const socket of freeOf(upstream)) socket.destroy()
}

function freeOf({ agent }: Upstream): Socket[] {
  return Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? [])
}
