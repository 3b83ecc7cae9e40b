/** The mirror's thread: asks both sides, compares and masks, so that none of it costs a request anything. */
import { parentPort, workerData } from 'node:worker_threads'
import { createMaskAnswers } from '@banyan/kit/parity/answers'
import { createAskSide } from './ask.ts'
import type { ComparerData, Copy, ToComparer, Told } from './copy.ts'
import { createJudge } from './judge.ts'
import { toSample } from './sample.ts'

const AT_ONCE = 8
/** Differences that wait for the other side to catch up; each is asked for up to three times more. */
const WAITING_AT_MOST = 20

const { personal, rules } = workerData as ComparerData
const say = (told: Told) => parentPort!.postMessage(told)
const mask = createMaskAnswers(personal)
const waiting = new Map<number, (caughtUp: boolean) => void>()
const judge = createJudge({ ask: createAskSide(AT_ONCE), rules, caughtUp })
const queue: Copy[] = []
let busy = 0

parentPort!.on('message', (told: ToComparer) => {
  if ('caughtUp' in told) waiting.get(told.id)?.(told.caughtUp)
  else {
    queue.push(told)
    next()
  }
})

function next(): void {
  while (busy < AT_ONCE && queue.length > 0) {
    busy++
    void take(queue.shift()!)
  }
}

async function take(copy: Copy): Promise<void> {
  const { id } = copy
  try {
    const { verdict, last } = await judge(copy)
    say({ id, verdict, sample: last && toSample(copy, last, mask) })
  } catch {
    // What cannot be read or masked is not kept, nor is the error, whose message may say what it held.
    say({ id, verdict: 'unanswered', sample: null })
  } finally {
    busy--
    next()
  }
}

/** Whoever waits lets others go on meanwhile. */
async function caughtUp({ id }: Copy): Promise<boolean> {
  if (waiting.size >= WAITING_AT_MOST) return false
  busy--
  next()
  const { promise, resolve } = Promise.withResolvers<boolean>()
  waiting.set(id, resolve)
  say({ id, wait: true })
  const so = await promise
  waiting.delete(id)
  busy++
  return so
}
