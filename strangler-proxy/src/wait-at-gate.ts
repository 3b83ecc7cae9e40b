import type { ServerResponse } from 'node:http'
import type { Body } from './body.ts'
import { gate } from './gate.ts'
import type { Parts } from './parts.ts'
import type { ProxyProblem } from './problem.ts'
import { HOLD_OVER, MOVING } from './resend.ts'
import type { Route } from './routes/route.ts'

/** Waits for the gate to open; says what to answer when it did not. The caller looks at the gate again, at once. */
export async function waitAtGate(
  parts: Pick<Parts, 'hold' | 'ownership' | 'metrics'>,
  route: Route,
  res: ServerResponse,
  body: Body,
  deadlineAt: number,
): Promise<ProxyProblem | 'gone' | null> {
  const look = () => gate(route, parts.ownership)
  if (look() === 'refuse') {
    parts.metrics.holdEnded('refuse')
    return MOVING
  }
  const waited = await parts.hold.wait({
    contexts: route.writes,
    bytes: heldBytesOf(body),
    deadlineAt,
    gate: look,
    onGone: (callback) => res.once('close', callback),
  })
  parts.metrics.holdEnded(waited)
  if (waited === 'open') return null
  if (waited === 'gone') return 'gone'
  return waited === 'refuse' ? MOVING : HOLD_OVER
}

/** What a waiting request keeps in memory: all of a kept body, the beginning of one that will stream. */
function heldBytesOf(body: Body): number {
  if (body.kind === 'kept') return body.bytes?.length ?? 0
  return body.kind === 'stream' ? body.held : 0
}
