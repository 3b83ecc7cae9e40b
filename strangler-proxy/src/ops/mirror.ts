import { Problem } from '@banyan/kit/service'
import type { Express, RequestHandler } from 'express'
import { z } from 'zod'
import { replayCommand } from '../mirror/replay-command.ts'
import { normaliseTarget } from '../target.ts'
import type { RoutingSources } from './routing.ts'

const header = z.string().max(1_024).optional()
const question = z.strictObject({
  method: z.enum(['GET', 'HEAD']),
  url: z.string().startsWith('/').max(8_192),
  headers: z.strictObject({ accept: header, 'accept-language': header, 'if-none-match': header }).optional(),
  /** A whole `Authorization`; who may use this listener sees what it may see, masked. */
  authorization: z.string().max(8_192).optional(),
})

type Sources = Pick<RoutingSources, 'mirror' | 'match' | 'flags' | 'contexts'>

/** What became of the mirrored reads of each context. */
export function showMirror(from: Omit<Sources, 'match'>) {
  return from.contexts.map((context) => ({
    context,
    flag: { name: `${context}-shadow`, share: from.flags.share(`${context}-shadow`) },
    ...from.mirror.state(context),
  }))
}

/** Answers with what differed, of one context where the query names it, and the command that asks the same again. */
export function sendSamples(mirror: Sources['mirror']): RequestHandler {
  return (req, res) => {
    const { context } = req.query
    const base = `http://${req.get('host')}`
    const samples = mirror.samples.list(typeof context === 'string' ? context : undefined)
    res.json({ samples: samples.map((sample) => ({ ...sample, replay: replayCommand(base, sample) })) })
  }
}

/** What mirrored reads showed, samples of what differed, and the same question once more. */
export function addMirror(app: Express, { operator, ...from }: Sources & { operator: RequestHandler }): void {
  const { mirror } = from
  app.get('/mirror', operator, (_req, res) => {
    res.json({ contexts: showMirror(from) })
  })
  app.get('/mirror/samples', operator, sendSamples(mirror))
  app.post('/mirror/replay', operator, async (req, res) => {
    const { method, url, headers, authorization } = question.parse(req.body)
    const target = normaliseTarget(url)
    const route = target.ok ? from.match(method, target.path) : null
    if (!target.ok || route?.access !== 'read') {
      throw new Problem(422, 'no-read', 'Only what a rule of the route table names a read is asked of both sides.')
    }
    const asked = { ...headers, host: 'replay', ...(authorization === undefined ? {} : { authorization }) }
    const sample = await mirror.replay(route, { method, url: target.url, headers: asked })
    if (sample === null) {
      throw new Problem(502, 'no-answer', 'A side has no instance that is up, did not answer, or answered too much.')
    }
    res.json({ differs: sample.differences.length > 0, ...sample })
  })
}
