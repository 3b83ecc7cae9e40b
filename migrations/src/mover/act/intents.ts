import { recordAudit } from '../../control/audit.ts'
import { acceptIntent, noteWait, settleIntent } from '../../control/intents.ts'
import type { Intent, Stored } from '../../control/stored.ts'
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
