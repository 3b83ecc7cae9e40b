import type { IncomingMessage, ServerResponse } from 'node:http'
import type { OwnershipWatch } from '@banyan/kit/ownership'
import type { Rule } from '@banyan/kit/parity/answers'
import type { Logger, Side } from '@banyan/kit/service'
import { hasBody } from '../body.ts'
import type { Facts, ReadsFlag } from '../decide.ts'
import { tape } from '../record/tape.ts'
import type { Route } from '../routes/route.ts'
import { ANSWER_TYPES } from './ask.ts'
import { createCatchingUp } from './catching-up.ts'
import { type ComparerThread, type OpenComparer, openComparer } from './comparer-thread.ts'
import type { Copy, Told } from './copy.ts'
import { type ContextCounts, type Counts, createCounts, type Dropped } from './counts.ts'
import { lagOf, outOfStep } from './in-step.ts'
import type { Sample } from './sample.ts'
import { createSamples, type Samples } from './samples.ts'

/** A read whose answer's head has arrived. */
export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly from: IncomingMessage
  readonly route: Route | null
  readonly side: Side
  readonly facts: Facts
}

/** What is asked again by an operator. */
export type Question = Pick<Copy, 'method' | 'url' | 'headers'>

export interface Mirror {
  /** Costs nothing where no flag is on; never throws. */
  answered(exchange: Exchange): void
  /** Asks both sides once more, the owner twice. Null where a side has no instance, or does not answer. */
  replay(route: Route, question: Question): Promise<Sample | null>
  state(context: string): MirrorState
  readonly samples: Pick<Samples, 'list'>
  close(): Promise<void>
}

export interface MirrorState extends ContextCounts {
  /** What keeps reads from being compared now; null when nothing does. */
  readonly waitsFor: 'not-in-step' | 'behind' | null
  /** Milliseconds since the last heartbeat applied on the other side; null when none was. */
  readonly lagMs: number | null
}

export interface MirrorOptions {
  readonly ownership: Pick<OwnershipWatch, 'get' | 'now'>
  /** Whether a context's reads are mirrored for this client. */
  readonly flag: ReadsFlag
  /** Where a side answers; null where nobody does. */
  readonly address: (side: Side, context: string) => string | null
  readonly personal: Readonly<Record<string, readonly string[]>>
  readonly rules: readonly Rule[]
  /** Behind which lag nothing is compared, in milliseconds. */
  readonly maxLagMs: number
  readonly folder: string | undefined
  readonly counted: Omit<Counts, 'of'>
  readonly logger: Logger
  readonly open?: OpenComparer
}

/** Copies that are under way at once: those whose answer arrives, those that queue, those that wait for a lag to end. */
export const COPIES_AT_MOST = 200
const BYTES_AT_MOST = 8 * 1024 * 1024
const CATCH_UP_WITHIN_MS = 10_000
const REPLAY_WITHIN_MS = 20_000

/** Compares a share of the reads with what the other side answers, after the client has its answer. It only observes. */
export function createMirror(options: MirrorOptions): Mirror {
  const { ownership, flag, address, personal, rules, maxLagMs, logger } = options
  const counts = createCounts(options.counted)
  const samples = createSamples(options)
  const catchingUp = createCatchingUp(ownership, CATCH_UP_WITHIN_MS)
  const underWay = new Map<number, { copy: Copy; bytes: number; replayed?: (sample: Sample | null) => void }>()
  let copies = 0
  let arriving = 0
  let bytes = 0
  const thread: ComparerThread = (options.open ?? openComparer)({ personal, rules }, { told, broke }, logger)

  function told(what: Told): void {
    const one = underWay.get(what.id)
    if (one === undefined) return
    const { context, rule } = one.copy
    if ('wait' in what) {
      catchingUp.wait(context, (caughtUp) => void thread.tell({ id: what.id, caughtUp }))
      return
    }
    forget(what.id)
    one.replayed?.(what.sample)
    if (one.replayed) return
    counts.judged(context, rule, what.verdict)
    if (what.sample) samples.add(what.sample)
  }

  function broke(): void {
    for (const [id, { copy, replayed }] of [...underWay]) {
      forget(id)
      if (replayed) replayed(null)
      else counts.dropped(copy.context, 'broken')
    }
  }

  function forget(id: number): void {
    bytes -= underWay.get(id)?.bytes ?? 0
    underWay.delete(id)
  }

  function copyOf(route: Route, question: Question, given: Copy['given']): Copy | null {
    const { context, name: rule, path } = route
    const owner = ownership.get(context)?.owner
    const [monolith, service] = [address('monolith', context), address('service', context)]
    if (owner === undefined || monolith === null || service === null) return null
    return { id: ++copies, context, rule, path, ...question, owner, at: { monolith, service }, given }
  }

  /** Hands a copy over, or says why not. */
  function send(route: Route, question: Question, given: NonNullable<Copy['given']>): Dropped | null {
    const { body } = given.answer
    if (body && 'omitted' in body) return body.omitted === 'size' ? 'size' : 'answer'
    const copy = copyOf(route, question, given)
    if (copy === null) return 'no-instance'
    const size = body?.bytes.length ?? 0
    if (bytes + size > BYTES_AT_MOST) return 'full'
    if (!thread.tell(copy)) return 'broken'
    underWay.set(copy.id, { copy, bytes: size })
    bytes += size
    return null
  }

  /** Why an answer is not listened to; null when it is. */
  function whyNot(context: string, status: number): Dropped | null {
    if (status >= 500) return 'answer'
    if (arriving + underWay.size >= COPIES_AT_MOST) return 'full'
    return outOfStep(ownership.get(context), ownership.now(), maxLagMs)
  }

  function listen({ req, res, from, side }: Exchange, route: Route): void {
    arriving++
    const question = { method: req.method ?? 'GET', url: req.url ?? '/', headers: req.headers }
    const body = tape(from, ANSWER_TYPES)
    const ended = (): Dropped | null => {
      if (!from.complete || !res.writableFinished) return 'answer'
      const { statusCode: status = 0, headers } = from
      return send(route, question, { by: side, answer: { status, headers, body: body() } })
    }
    res.once('close', () => {
      arriving--
      attempt(() => {
        const why = ended()
        if (why === null) counts.mirrored(route.context)
        else counts.dropped(route.context, why)
      })
    })
  }

  function begin(exchange: Exchange): void {
    const { req, from, route, facts } = exchange
    if (route === null || !isSafe(req, route) || !flag(route.context, facts)) return
    const why = whyNot(route.context, from.statusCode ?? 0)
    if (why === null) listen(exchange, route)
    else counts.dropped(route.context, why)
  }

  // What an observer throws stays with it.
  function attempt(act: () => void): void {
    try {
      act()
    } catch (err) {
      logger.warn({ err }, 'mirroring a read failed')
    }
  }

  return {
    answered: (exchange) => attempt(() => begin(exchange)),
    async replay(route, question) {
      const copy = copyOf(route, question, null)
      if (copy === null || !thread.tell(copy)) return null
      const { promise, resolve } = Promise.withResolvers<Sample | null>()
      underWay.set(copy.id, { copy, bytes: 0, replayed: resolve })
      const bound = setTimeout(() => resolve(null), REPLAY_WITHIN_MS)
      const sample = await promise
      clearTimeout(bound)
      forget(copy.id)
      return sample
    },
    state(context) {
      const known = ownership.get(context)
      const now = ownership.now()
      const lagMs = known === undefined ? Number.POSITIVE_INFINITY : lagOf(known, now)
      return {
        waitsFor: outOfStep(known, now, maxLagMs),
        lagMs: Number.isFinite(lagMs) ? Math.round(lagMs) : null,
        ...counts.of(context),
      }
    },
    samples,
    async close() {
      catchingUp.close()
      await thread.close()
    },
  }
}

/** Neither the method nor the rule changes anything, so that asking again does no harm. */
function isSafe(req: IncomingMessage, route: Route): boolean {
  return route.access === 'read' && (req.method === 'GET' || req.method === 'HEAD') && !hasBody(req)
}
