import { type Logger, Problem } from '@banyan/kit/service'
import type { Request, Router } from 'express'
import { z } from 'zod'
import type { AddressOf } from '../address.ts'
import type { AuditLine } from '../audit.ts'
import { tooSoon } from '../brake.ts'
import { isSameOrigin, requireSession, sessionOf } from './gate.ts'
import type { KnownBrowsers } from './known-browsers.ts'
import { createLoginBrakes } from './login-brakes.ts'
import { createIdentify, type Operator } from './operators.ts'
import type { Session, Sessions } from './sessions.ts'
import { createNoteStranger } from './strangers.ts'

const credentials = z.strictObject({ name: z.string().min(1).max(64), secret: z.string().min(1).max(200) })

/** Log in, log out, and who am I. */
export function addLogin(
  router: Router,
  options: {
    readonly operators: readonly Operator[]
    readonly sessions: Sessions
    readonly browsers: KnownBrowsers
    readonly addressOf: AddressOf
    readonly audit: (line: AuditLine) => Promise<void>
    readonly logger: Logger
    readonly now?: () => number
  },
): void {
  const { operators, sessions, browsers, addressOf, audit, logger } = options
  const identify = createIdentify(operators)
  const brakes = createLoginBrakes(options.now)
  const noteStranger = createNoteStranger(audit, options.now)
  const withoutProof = (req: Request, name: string | null, what: string, detail: string): Problem => {
    const address = addressOf(req)
    const why = `from ${address}, not by the console’s own page`
    const who = name ?? 'unknown'
    const line = { who, what, why, result: 'refused' } as const
    // What is done in a name is always written down; strangers must not keep it from that.
    if (name === null) noteStranger(address, line)
    else void audit(line)
    logger.warn({ address, who, what }, 'refused at the console: not sent by its own page')
    return new Problem(403, 'no-proof', detail)
  }

  router.post('/login', async (req, res) => {
    if (!isSameOrigin(req)) throw withoutProof(req, null, 'login', 'Log in from the console’s own page.')
    const { name, secret } = credentials.parse(req.body)
    if (operators.length === 0)
      throw new Problem(409, 'no-operators', 'Nobody may log in: the proxy was started without CONSOLE_OPERATORS.')
    const address = addressOf(req)
    const claimed = operators.find((one) => one.name === name)
    // An unknown name is not kept: people type their secrets into the wrong field.
    const who = claimed?.name ?? 'unknown'
    const browser = claimed ? browsers.of(req.get('cookie'), claimed) : null
    const attempt = { address, name, isOperator: claimed !== undefined, browser }
    const waitMs = brakes.begin(attempt)
    if (waitMs > 0) {
      logger.warn(
        { address, who, waitMs: Math.round(waitMs) },
        'a login at the console came too soon after a wrong one',
      )
      throw tooSoon('After a wrong login the next one waits', waitMs)
    }
    let operator: Operator | null = null
    try {
      operator = await identify(name, secret)
    } finally {
      brakes.ended(attempt, operator !== null)
    }
    if (operator === null) {
      logger.warn({ address, who }, 'a wrong login at the console')
      const line = { who, what: 'login', why: `from ${address}`, result: 'refused' } as const
      // What is guessed under an operator's name is slowed down for all addresses together, made-up names are not.
      if (claimed) void audit(line)
      else noteStranger(address, line)
      throw new Problem(401, 'wrong-login', 'Name or secret is wrong.')
    }
    const { session, setCookie } = sessions.open(operator)
    logger.info({ address, who: name, role: operator.role }, 'logged in at the console')
    void audit({ who: name, what: 'login', why: `from ${address}`, result: 'done' })
    res.set('Set-Cookie', [setCookie, browsers.remember(operator)]).json(shown(session))
  })

  router.get('/session', requireSession(sessions), (_req, res) => {
    res.json(shown(sessionOf(res)))
  })

  router.post('/logout', requireSession(sessions), (req, res) => {
    const { name } = sessionOf(res)
    if (!isSameOrigin(req)) throw withoutProof(req, name, 'logout', 'Log out from the console’s own page.')
    res
      .set('Set-Cookie', sessions.end(sessionOf(res)))
      .status(204)
      .end()
  })
}

/** The proof is given to whoever has the cookie: another site's page can send the cookie, but not read the answer. */
function shown({ name, role, csrf }: Session): object {
  return { name, role, csrf }
}
