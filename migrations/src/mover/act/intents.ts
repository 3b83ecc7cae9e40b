import { recordAudit } from '../../control/audit.ts'
import { readContext } from '../../control/contexts.ts'
import { acceptIntent, noteWait, settleIntent } from '../../control/intents.ts'
import type { Intent, Stored, Verb } from '../../control/stored.ts'
import { inTransaction } from '../../control/transaction.ts'
import type { Runtime } from '../runtime.ts'
import { showOwner } from './end.ts'

/** Who goes on without a parity run says why, and is remembered for it. */
export async function accept(run: Runtime, intent: Intent): Promise<void> {
  const { context, who, args } = intent
  await inTransaction(run.control, async (db) => {
    await acceptIntent(db, intent.id)
    if (intent.verb === 'switch' && typeof args.withoutParity === 'string')
      await recordAudit(db, {
        who,
        what: 'switch without parity',
        context,
        why: args.withoutParity,
        result: 'accepted',
      })
  })
}

/** Says what an open intent waits for; a round without an intent has nobody to tell. */
export async function tellWait(run: Runtime, intent: Intent | null, waitsFor: string): Promise<void> {
  if (intent && intent.waitsFor !== waitsFor) await noteWait(run.control, intent.id, waitsFor)
}

const ASK_AGAIN = 'mend that and ask again'
const GOES_ON = 'mend that, and the mover ends what it has begun'

/** What to do about a verb whose steps keep failing. */
const REMEDIES: Readonly<Record<Verb, string>> = {
  prepare: `${ASK_AGAIN}; what it had begun is taken away again`,
  unprepare: GOES_ON,
  backfill: 'mend that, and the copy goes on by itself',
  pause: ASK_AGAIN,
  resume: ASK_AGAIN,
  verify: ASK_AGAIN,
  repair: ASK_AGAIN,
  switch: ASK_AGAIN,
  rollback: ASK_AGAIN,
  complete: GOES_ON,
}

/**
 * Ends an intent whose steps keep failing, so that whoever follows it learns of it. An attempt under way has a budget of
 * its own before its point of no return, and a way forward after it; its intent stays open.
 * @param forMs how long they have failed
 * @returns whether it has ended
 */
export async function giveUp(run: Runtime, intent: Intent, forMs: number, message: string): Promise<boolean> {
  const stored = await readContext(run.control, intent.context)
  if (!stored || stored.direction !== null) return false
  const because = `a step has failed for ${Math.round(forMs / 1000)} s: ${message}; ${REMEDIES[intent.verb]}`
  await settle(run, stored, intent, 'failed', because)
  return true
}

/** Ends an intent, with a line in the audit; a flag that asked in vain is set back to what is true. */
export async function settle(
  run: Runtime,
  stored: Stored,
  intent: Intent,
  as: 'done' | 'failed' | 'refused',
  because: string,
): Promise<void> {
  await inTransaction(run.control, async (db) => {
    await settleIntent(db, intent.id, as, because)
    await recordAudit(db, {
      who: intent.who,
      what: `${intent.verb} (asked by ${intent.source})`,
      context: intent.context,
      new: { phase: stored.phase, owner: stored.owner, args: intent.args, because },
      why: intent.why,
      result: as,
    })
  })
  run.logger.info({ context: intent.context, verb: intent.verb, result: as, because }, 'intent settled')
  if (intent.source === 'flag' && as !== 'done') showOwner(run, stored)
}
