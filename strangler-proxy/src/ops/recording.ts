import { Problem } from '@banyan/kit/service'
import type { Express, RequestHandler } from 'express'
import type pg from 'pg'
import { z } from 'zod'
import type { Recorder, RecordingState } from '../record/recorder.ts'
import { recordAudit } from './audit.ts'
import { why } from './why.ts'

const order = z.strictObject({
  share: z.number().gt(0).max(1),
  requests: z.number().int().min(1).max(1_000_000).default(10_000),
  megabytes: z.number().min(0.001).max(4_096).default(64),
  minutes: z.number().gt(0).max(1_440).default(15),
  why: why.min(1),
})

/** Starts and stops recordings. Who recorded traffic, and why, is in the audit before the first line is written. */
export function addRecording(
  app: Express,
  { operator, pool, recorder }: { operator: RequestHandler; pool: pg.Pool; recorder: Recorder },
): void {
  app.post('/recording', operator, async (req, res) => {
    const { why, ...asked } = order.parse(req.body)
    await audit(pool, 'record', why, recorder.state(), asked)
    try {
      res.status(201).json(recorder.start(asked))
    } catch (error) {
      throw new Problem(409, 'cannot-record', `Nothing is recorded: ${(error as Error).message}.`)
    }
  })
  app.delete('/recording', operator, async (_req, res) => {
    const before = recorder.state()
    const after = await recorder.stop('an operator stopped it')
    res.json(after)
    // It has stopped whether or not that can be written down.
    if (before.on) await audit(pool, 'stop recording', null, before, after).catch(() => undefined)
  })
}

async function audit(pool: pg.Pool, what: string, why: string | null, old: RecordingState, next: object) {
  await recordAudit(pool, { who: 'operator', what, why, old, new: next, result: 'done' })
}
