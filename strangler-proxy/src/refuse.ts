import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Parts } from './parts.ts'
import { answerProblem, type ProxyProblem } from './problem.ts'

/** Answers a request that goes nowhere, and counts it. */
export function refuse(
  parts: Pick<Parts, 'metrics' | 'safe' | 'cors'>,
  req: IncomingMessage,
  res: ServerResponse,
  problem: ProxyProblem,
): void {
  parts.metrics.refused(problem.code)
  answerProblem(res, problem, { instance: req.url?.split('?')[0], safe: parts.safe, cors: parts.cors })
}
