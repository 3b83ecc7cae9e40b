import { setTimeout as sleep } from 'node:timers/promises'
import { readContexts } from '../control/contexts.ts'
import { askFor, askPause, cancelIntent, intentState, openIntent, type Settled } from '../control/intents.ts'
import { someoneLeads } from '../control/leader.ts'
import type { Stored, Verb } from '../control/stored.ts'
import { outOfOrder } from '../mover/orders.ts'
import type { Setup } from '../setup.ts'
import type { Output } from './output.ts'
import { readStatus } from './read-status.ts'
import { Refused } from './refused.ts'
import { progressOf } from './show-status.ts'

const LOOK_MS = 100
const NO_MOVER_MS = 10_000

export type AskOptions = { why?: string | undefined; wait: boolean; timeout: number; args?: Record<string, unknown> }

/** The stored row of a context. @throws Refused where there is none: with the contexts that there are */
export async function knownContext(setup: Setup, context: string): Promise<Stored> {
  const all = await readContexts(setup.control())
  const stored = all.find((one) => one.context === context)
  if (stored) return stored
  const known = all.map((one) => one.context).join(', ') || 'none'
  throw new Refused(
    `the control database does not know "${context}"; it knows: ${known}. banyan init adds those of new plans`,
  )
}

/**
 * Writes the intent and follows it to its end. A verb that is out of order is refused before anything is written.
 * @throws Refused with what it waits for; Error when it failed or did not end in time
 */
export async function ask(
  setup: Setup,
  out: Output,
  who: string,
  verb: Verb,
  context: string,
  options: AskOptions,
): Promise<void> {
  await setup.plan(context)
  const early = outOfOrder(verb, await knownContext(setup, context))
  if (early) throw new Refused(early)
  const control = setup.control()
  const { args = {}, why } = options
  const id = await askFor(control, { context, verb, args, source: 'cli', who, why })
  if (id === null && verb === 'pause') return pauseBackfill(setup, out, who, context, options)
  if (id === null) {
    const other = await openIntent(control, context)
    throw new Refused(
      `${verb} waits for ${other ? `${other.verb}, asked for by ${other.who}` : 'another intent'} to end`,
    )
  }
  if (!options.wait)
    return out.result(
      { context, verb, state: 'pending' },
      `${verb} ${context}: asked; banyan status ${context} follows it`,
    )
  const settled = await follow(setup, out, who, verb, context, id, options.timeout * 1000)
  const because = settled.result?.because ?? settled.state
  if (settled.state === 'refused') throw new Refused(settled.waitsFor ?? because)
  if (settled.state !== 'done') throw new Error(`${verb} ${context}: ${because}`)
  out.result({ context, verb, state: 'done', because }, `${verb} ${context}: done, ${because}`)
}

/** While a backfill is open nothing else can be asked for; the pause is asked of it, and ends it. */
async function pauseBackfill(
  setup: Setup,
  out: Output,
  who: string,
  context: string,
  options: AskOptions,
): Promise<void> {
  const id = await askPause(setup.control(), context, who)
  if (id === null) throw new Refused(`pause waits for what is under way in ${context} to end: banyan status ${context}`)
  if (options.wait) await follow(setup, out, who, 'pause', context, id, options.timeout * 1000)
  const { paused, phase } = await knownContext(setup, context)
  if (options.wait && !paused) throw new Refused(`pause came too late: ${context} is ${phase}`)
  const state = paused ? 'done' : 'pending'
  out.result({ context, verb: 'pause', state }, `pause ${context}: ${paused ? 'the copy stands still' : 'asked'}`)
}

async function follow(
  setup: Setup,
  out: Output,
  who: string,
  verb: Verb,
  context: string,
  id: bigint,
  timeoutMs: number,
): Promise<Settled> {
  const control = setup.control()
  const began = performance.now()
  try {
    for (;;) {
      const settled = await intentState(control, id)
      if (settled.state !== 'pending' && settled.state !== 'running') return settled
      const passedMs = performance.now() - began
      if (settled.state === 'pending' && passedMs > NO_MOVER_MS && !(await someoneLeads(control))) {
        await cancelIntent(control, context, who)
        throw new Error(`${verb} ${context}: no mover is running, so nothing was done; start one: banyan run`)
      }
      if (passedMs > timeoutMs) {
        const taken = await cancelIntent(control, context, who)
        throw new Error(
          `${verb} ${context}: not ended after ${timeoutMs / 1000} s; ${taken ? 'it was not begun and is taken back' : `it goes on: banyan status ${context}`}`,
        )
      }
      const { text, share } = progressOf(await readStatus(setup, context), verb, settled.waitsFor)
      out.progress(text, share)
      await sleep(LOOK_MS)
    }
  } finally {
    out.endProgress()
  }
}
