import express, { type Express } from 'express'
import { z } from 'zod'
import type { Mailbox } from './mailbox.ts'
import type { Faults } from './smtp.ts'

const NewFaults = z.object({ refuse: z.int().min(0).max(1_000_000), delayMs: z.int().min(0).max(60_000) }).partial()

/** `GET /messages` shows what was accepted; `PUT /faults {refuse, delayMs}` makes the sink misbehave. */
export const createSinkApp = (mailbox: Mailbox, faults: Faults): Express => {
  const app = express()
  app.disable('x-powered-by')
  app.use(express.json({ limit: '4kb' }))
  app.get('/health/live', (_req, res) => void res.json({ status: 'up' }))
  app.get('/health/ready', (_req, res) => void res.json({ status: 'up' }))
  app.get('/messages', (_req, res) => void res.json({ messages: mailbox.messages }))
  app.put('/faults', (req, res) => {
    const wanted = NewFaults.safeParse(req.body)
    if (!wanted.success) return void res.status(422).json({ code: 'invalid-request' })
    Object.assign(faults, wanted.data)
    res.json(faults)
  })
  return app
}
