import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Body, keepBody, takeBody } from './body.ts'
import { choose } from './choose.ts'
import type { Decision, Facts } from './decide.ts'
import type { Outcome } from './forward.ts'
import { gate, isOnTheMove } from './gate.ts'
import type { Parts } from './parts.ts'
import { NO_ROUTE, type ProxyProblem } from './problem.ts'
import type { Listening } from './record/recorder.ts'
import { refuse } from './refuse.ts'
import { afterOutcome, FAILING, TOO_LARGE } from './resend.ts'
import { type Route, UNROUTED_DEADLINE_MS } from './routes/route.ts'
import { createSending } from './sending.ts'
import type { RequestTrace } from './trace.ts'
import type { Upstream } from './upstreams.ts'
import { waitAtGate } from './wait-at-gate.ts'

const NO_INSTANCE_WITHIN_MS = 2_000
const NO_INSTANCE_PAUSE_MS = 50

/** What is known of a request when it sets out. */
export interface Setting {
  readonly started: number
  readonly route: Route | null
  readonly facts: Facts
  /** The cookie of a session that began with it. */
  readonly session: string | null
  readonly listening: Listening
  readonly trace: RequestTrace
}

/** Hold → forward, until it was answered or may not be sent again. */
export async function carry(parts: Parts, req: IncomingMessage, res: ServerResponse, setting: Setting): Promise<void> {
  const { started, route, facts, session, listening, trace } = setting
  const { ownership } = parts
  // Whoever left before tells so no more: its body would be waited for, and its answer, for ever.
  if (res.destroyed) return
  const taken = bodyOf(req, route, parts)
  const body = taken instanceof Promise ? await taken : taken
  if (body.kind === 'gone') return
  if (body.kind === 'too-large') return refuse(parts, req, res, TOO_LARGE)
  const bytes = body.kind === 'kept' ? body.bytes : body.from
  const arrived = body.kind === 'kept' && body.bytes !== null ? performance.now() : started
  const deadlineAt = arrived + (route?.deadlineMs ?? UNROUTED_DEADLINE_MS)
  let refusals = 0
  let stale = 0
  const tried: Upstream[] = []
  let missingSince: number | null = null
  // What an earlier sending left open. That a later one was refused, or went nowhere, says nothing of it, and a client
  // that reads "nothing was done" does it once more under another key.
  let unclear: ProxyProblem | null = null
  let mayHaveWritten = false
  const end = (problem: ProxyProblem) => {
    const told = unclear ?? problem
    // As with an answer: whoever looks for what they may have written is to look where it was written.
    if (mayHaveWritten && !res.headersSent)
      for (const cookie of cookiesOf(parts, route, told.status, null)) res.appendHeader('Set-Cookie', cookie)
    refuse(parts, req, res, told)
  }

  for (;;) {
    // No await may stand between an open gate, or the choice of a side, and the entry in flight: a hold, or the end of a
    // move, seen in between would be acknowledged although this request is on its way.
    while (route !== null && gate(route, ownership) !== 'open') {
      const waited = trace.held()
      const refused = await waitAtGate(parts, route, res, body, deadlineAt)
      waited(typeof refused === 'object' ? (refused?.code ?? 'open') : refused)
      if (refused === 'gone') return
      if (refused !== null) return end(refused)
    }
    const choice = choose(route, ownership, parts.flag, facts, parts.upstreams, tried)
    const { decision } = choice
    // Where there is no other place, the same one once more: what failed may have been an old connection.
    const upstream = choice.upstream ?? tried.at(-1) ?? null
    if (upstream === null) {
      if (route === null) return end(NO_ROUTE)
      // A service that has just come up, or is being replaced, is in the table within a moment.
      missingSince ??= performance.now()
      const until = Math.min(missingSince + NO_INSTANCE_WITHIN_MS, deadlineAt)
      if (performance.now() >= until || res.destroyed) return end(NO_INSTANCE)
      await sleep(NO_INSTANCE_PAUSE_MS)
      if (res.destroyed) return
      continue
    }
    const passage = upstream.group.enter(upstream, tried.length + stale > 0)
    if (passage === null) return end(FAILING)
    parts.metrics.decided(decision, route?.context ?? null)
    const ended = setOut(parts, route, decision)
    const { sending, elsewhere } = createSending(parts, {
      req,
      route,
      choice,
      upstream,
      passage,
      tried,
      deadlineAt,
      fresh: stale > 0,
      body: bytes,
      // What an earlier sending has written is not undone by a later one that is refused, or finds it done.
      cookies: (status) => cookiesOf(parts, route, mayHaveWritten ? null : status, session),
      answered: (from) => {
        listening.answered(from)
        parts.mirror.answered({ req, res, from, route, side: decision.side, facts })
      },
    })
    const sent = performance.now()
    const settled = trace.sent(decision, upstream)
    let outcome: Outcome = { kind: 'gone' }
    try {
      outcome = await parts.forward(req, res, sending)
    } finally {
      settled(outcome)
      ended?.()
      passage.ended(outcome)
    }
    if (route?.access === 'read') parts.metrics.read(route.context, decision.side, outcome, performance.now() - sent)
    if (outcome.kind === 'answered') {
      parts.metrics.answered(decision.side, outcome.status, performance.now() - started)
      return
    }
    const next = afterOutcome(outcome, {
      route,
      method: req.method ?? 'GET',
      repeatable: body.kind === 'kept',
      idempotencyKey: req.headers['idempotency-key'] !== undefined,
      refusals,
      failures: tried.length,
      stale,
      elsewhere: elsewhere() !== null,
      leftMs: deadlineAt - performance.now(),
    })
    if (next.kind === 'done') return
    mayHaveWritten ||= mayBeDone(outcome)
    if (next.kind === 'problem') return end(next.problem)
    if (next.why !== 'refused') {
      if (route?.access === 'write' && mayBeDone(outcome)) unclear = next.otherwise
      if (!next.free && !(elsewhere() ?? upstream.group).budget.spend()) {
        parts.metrics.retryDenied()
        return end(next.otherwise)
      }
      if (next.same) stale += 1
      else tried.push(upstream)
    }
    parts.metrics.resent(next.why)
    if (next.why === 'refused') {
      refusals += 1
      await Promise.all([ownership.refresh(next.afterMs), sleep(next.afterMs)])
    }
    if (res.destroyed) return
    // Each sending adds listeners of its own to both; a long refusal must not look like a leak.
    req.setMaxListeners(0)
    res.setMaxListeners(0)
  }
}

/** Whoever acknowledges a change of ownership waits for those that were decided before it. */
function setOut(parts: Parts, route: Route | null, { side }: Decision): (() => void) | null {
  if (route?.access === 'write') return parts.inFlight.enter(route.writes)
  return route !== null && side === 'service' ? parts.awayReads.enter([route.context]) : null
}

/** Whether a sending that has no answer may have been carried out all the same. */
function mayBeDone(outcome: Outcome): boolean {
  return outcome.kind === 'failed' && outcome.cause !== 'connect'
}

const NO_INSTANCE: ProxyProblem = {
  status: 503,
  code: 'no-instance',
  detail: 'No instance of the service that answers this is up. Try again shortly.',
  retryAfter: 1,
}

function bodyOf(req: IncomingMessage, route: Route | null, parts: Parts): Promise<Body> | Body {
  const limit = route === null ? parts.bodyLimit : route.bodyLimit
  return route !== null &&
    route.writes.length > 0 &&
    route.writes.some((context) => isOnTheMove(context, parts.ownership))
    ? keepBody(req, limit)
    : takeBody(req, limit)
}

/**
 * A write pins this client's reads to the owner, unless it was refused before it began: an order whose card was declined
 * is there to be looked at. Without a second side there is no need.
 */
function cookiesOf(
  parts: Parts,
  route: Route | null,
  status: number | null,
  session: string | null,
): readonly string[] {
  const refused = status !== null && NOT_BEGUN.has(status)
  if (route === null || route.writes.length === 0 || refused) return session ? [session] : NONE
  const now = parts.ownership.now().getTime()
  const written = route.writes
    .filter((context) => isOnTheMove(context, parts.ownership))
    .map((context) => parts.cookies.setWritten(context, now))
  return session ? [session, ...written] : written
}

/** By other refusals, such as 402 and 409, may be told what became of a write that left something. */
const NOT_BEGUN = new Set([400, 401, 403, 404, 405, 406, 408, 411, 413, 414, 415, 416, 421, 422, 428, 429, 431])
const NONE: readonly string[] = []
