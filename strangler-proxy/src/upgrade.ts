import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { acceptTraceparent } from '@banyan/kit/service'
import { hasBody } from './body.ts'
import { choose } from './choose.ts'
import { isSplit, NO_FACTS } from './decide.ts'
import type { Outcome } from './forward.ts'
import { gate } from './gate.ts'
import { whileUnknown } from './known.ts'
import type { Parts } from './parts.ts'
import { NO_ROUTE, type ProxyProblem, refuseUpgrade } from './problem.ts'
import { FAILING, MOVING, TOO_LATE, UNREACHABLE } from './resend.ts'
import { UNROUTED_DEADLINE_MS } from './routes/route.ts'
import { DEADLINE_HEADER } from './sending.ts'

/** Whether a request asks for a WebSocket; every other upgrade is ignored and the request answered as it is. */
export function isWebSocket(req: IncomingMessage): boolean {
  return req.method === 'GET' && req.headers.upgrade?.toLowerCase() === 'websocket'
}

/** The way of a WebSocket: the same stripping and the same decision as any request, one upstream, then bytes. */
export function createUpgrader(parts: Parts): (req: IncomingMessage, socket: Socket, head: Buffer) => void {
  return (req, socket, head) => {
    socket.on('error', () => socket.destroy())
    upgrade(parts, req, socket, head).catch((err: Error) => {
      parts.logger.error({ err }, 'handling an upgrade failed')
      socket.destroy()
    })
  }
}

async function upgrade(parts: Parts, req: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
  const refuse = (problem: ProxyProblem) => {
    parts.metrics.refused(problem.code)
    refuseUpgrade(socket, problem)
  }
  // Of the pinned Nodes only those from 24.9 on ask `isWebSocket` themselves; the others take every upgrade for one.
  if (!isWebSocket(req)) return refuse(NOT_SPOKEN)
  // The forwarder would announce it and not send it: who waits for it upstream would seem to have failed.
  if (hasBody(req)) return refuse(WITH_BODY)
  const arrival = parts.arrive(req)
  if ('status' in arrival) return refuse(arrival)
  const { route, override } = arrival
  if (parts.cors?.isForeign(req)) return refuse(FOREIGN)
  const inadmissible = await parts.admit(req, route)
  if (inadmissible !== null) return refuse(inadmissible)
  const unknown = whileUnknown(route, parts.ownership)
  if (unknown !== null) return refuse(unknown)
  if (gate(route, parts.ownership) !== 'open') return refuse(MOVING)
  const known = route === null ? undefined : parts.ownership.get(route.context)
  const gathered = route !== null && isSplit(route, known) ? await parts.gatherFacts(req, route, override) : null
  const facts = gathered?.facts ?? (override === null ? NO_FACTS : { ...NO_FACTS, override })
  const { decision, upstream } = choose(route, parts.ownership, parts.flag, facts, parts.upstreams)
  if (upstream === null) return refuse(route === null ? NO_ROUTE : UNREACHABLE)
  // Whoever left meanwhile tells so no more, and would be counted as under way for ever.
  if (socket.destroyed) return
  const passage = upstream.group.enter(upstream, false)
  if (passage === null) return refuse(FAILING)
  let outcome: Outcome = { kind: 'gone' }
  let isAnswered = false
  socket.once('close', () => passage.ended(outcome))
  parts.metrics.decided(decision, route?.context ?? null)
  req.headers.traceparent ??= acceptTraceparent(undefined)
  const withinMs = route?.deadlineMs ?? UNROUTED_DEADLINE_MS
  req.headers[DEADLINE_HEADER] = String(withinMs)
  req.headers.connection = 'Upgrade'
  req.headers.upgrade = 'websocket'
  parts.forward.upgrade(req, socket, head, {
    upstream,
    withinMs,
    // Told now: a connection may stay for hours, and be the one by which a breaker sees whether its side is back.
    onAnswer({ statusCode = 502, headers }) {
      isAnswered = true
      if (headers['banyan-refused'] !== undefined) {
        outcome = { kind: 'refused' }
        return refuse(MOVING)
      }
      passage.heard(statusCode)
      delete headers['x-powered-by']
    },
    onError(cause) {
      // Of a client that left the forwarder tells as of an error, too, and it says nothing of the upstream.
      if (socket.destroyed) return
      outcome = { kind: 'failed', cause }
      // A problem in the middle of what the two say to each other would be taken for a part of it.
      if (!isAnswered) refuse(cause === 'deadline' ? TOO_LATE : UNREACHABLE)
    },
  })
}

const WITH_BODY: ProxyProblem = {
  status: 400,
  code: 'bad-request',
  detail: 'A request for a WebSocket has no body. Send it without one.',
}
const NOT_SPOKEN: ProxyProblem = {
  status: 501,
  code: 'upgrade-not-spoken',
  detail: 'Of upgrades, only WebSocket is spoken here. Send the request without the Upgrade header.',
}

const FOREIGN: ProxyProblem = {
  status: 403,
  code: 'foreign-origin',
  detail: 'Pages of this origin may not open a WebSocket here.',
}
