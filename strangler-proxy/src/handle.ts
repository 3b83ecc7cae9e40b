import type { IncomingMessage, ServerResponse } from 'node:http'
import { carry } from './carry.ts'
import { traceIdOf } from './clean-headers.ts'
import { isSplit, NO_FACTS } from './decide.ts'
import { whileUnknown } from './known.ts'
import type { Parts } from './parts.ts'
import { answerProblem, type ProxyProblem } from './problem.ts'
import { refuse } from './refuse.ts'
import { traceRequest } from './trace.ts'

/** A request's way: arrive (clean headers, rule) → facts → decide → hold → forward, and again what was not done. */
export function createHandler(parts: Parts): (req: IncomingMessage, res: ServerResponse) => void {
  return (req, res) => {
    handle(parts, req, res).catch((err: Error) => {
      const traceId = traceIdOf(req.headers)
      parts.logger.error({ err, method: req.method, traceId }, 'handling a request failed')
      answerProblem(res, FAILED, parts)
    })
  }
}

async function handle(parts: Parts, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const started = performance.now()
  const arrival = parts.arrive(req)
  if ('status' in arrival) return refuse(parts, req, res, arrival)
  const { route, override } = arrival
  const trace = traceRequest(req, res, route)
  const { ownership, cors } = parts
  const isAsking = cors?.isAsking(req) === true
  // A question in advance has no token to show, and is not what it asks about: it counts for its address alone.
  const asked = parts.admit(req, isAsking ? null : route)
  const inadmissible = asked instanceof Promise ? await asked : asked
  if (inadmissible !== null) return refuse(parts, req, res, inadmissible)
  if (isAsking) return cors!.answer(req, res)
  const unknown = whileUnknown(route, ownership)
  if (unknown !== null) return refuse(parts, req, res, unknown)

  const known = route === null ? undefined : ownership.get(route.context)
  const asking = route !== null && isSplit(route, known) ? parts.gatherFacts(req, route, override) : null
  const gathered = asking instanceof Promise ? await asking : asking
  const facts = gathered?.facts ?? (override === null ? NO_FACTS : { ...NO_FACTS, override })

  const listening = parts.recorder.listen(req, route, facts.sessionId ?? null)
  try {
    await carry(parts, req, res, {
      started,
      route,
      facts,
      session: gathered?.setCookie ?? listening.setCookie,
      listening,
      trace,
    })
  } finally {
    listening.ended()
  }
}

const FAILED: ProxyProblem = { status: 500, code: 'internal', detail: 'The proxy failed on this request.' }
