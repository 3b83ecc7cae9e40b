import { beginAbort, raiseTarget, reopen, unfenceSource } from './act/abort.ts'
import { complete } from './act/complete.ts'
import { beginCopy, copy, endCopy, setPaused } from './act/copy.ts'
import { endAbort, endSwitch } from './act/end.ts'
import { accept, settle, tellWait } from './act/intents.ts'
import { prepare, unprepare } from './act/prepare.ts'
import { relink } from './act/relink.ts'
import { beginSwitch, commit, fence, holdEnded, reconcileToMarker, sequences, unfence, unlink } from './act/switch.ts'
import { takeOver } from './act/take-over.ts'
import { grade, repair, verify } from './act/verify.ts'
import type { Action } from './next-action.ts'
import type { Sight } from './observe.ts'
import type { Runtime } from './runtime.ts'

/** Does what was decided. Every deed starts from the stored row it was decided on, and changes it by compare-and-set. */
export async function act(run: Runtime, { stored, intent, marker }: Sight, action: Action): Promise<void> {
  switch (action.do) {
    case 'rest':
      return
    case 'wait':
      return tellWait(run, intent, action.for)
    case 'accept':
      return accept(run, wanted(intent))
    case 'settle':
      return settle(run, stored, wanted(intent), action.as, action.because)
    case 'take-over':
      return takeOver(run, stored)
    case 'prepare':
      return prepare(run, stored)
    case 'unprepare':
      return unprepare(run, stored)
    case 'begin-copy':
      return beginCopy(run, stored)
    case 'copy':
      return copy(run, intent)
    case 'end-copy':
      return endCopy(run, stored)
    case 'pause':
      return setPaused(run, stored, action.paused)
    case 'verify':
      return verify(run, stored, wanted(intent))
    case 'repair':
      return repair(run, stored, wanted(intent))
    case 'grade':
      return grade(run, stored, action.phase)
    case 'begin-switch':
      return beginSwitch(run, stored, wanted(intent), action.direction)
    case 'unlink':
      return unlink(run, stored)
    case 'hold-ended':
      return holdEnded(run, stored)
    case 'fence':
      return fence(run, stored)
    case 'reconcile':
      return reconcileToMarker(run, stored, wanted(marker))
    case 'sequences':
      return sequences(run, stored)
    case 'commit':
      return commit(run, stored)
    case 'unfence':
      return unfence(run, stored)
    case 'release':
      return endSwitch(run, stored)
    case 'begin-abort':
      return beginAbort(run, stored, action.reason, action.again)
    case 'raise-target':
      return raiseTarget(run, stored)
    case 'unfence-source':
      return unfenceSource(run, stored)
    case 'end-abort':
      return endAbort(run, stored)
    case 'reopen':
      return reopen(run, stored)
    case 'relink':
      return relink(run)
    case 'complete':
      return complete(run, stored)
  }
}

function wanted<T>(value: T | null): T {
  if (value === null) throw new Error('decided on something that was not seen')
  return value
}
