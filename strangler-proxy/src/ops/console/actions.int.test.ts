import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { ownershipOf } from '../../../test-support/start-proxy.ts'
import { codeOf, type Session, startConsole, type TestConsole } from './testing/console.ts'

let house: TestConsole
beforeAll(async () => {
  house = await startConsole()
})
beforeEach(async () => {
  house.unleash.shares.length = 0
  house.unleash.fails = false
  await house.control.query(`update banyan.intents set state = 'done', settled_at = now() where state = 'pending'`)
})
afterAll(() => house.close())

const SWITCH = { verb: 'switch', why: 'a quiet hour' }
const ACTIONS = [
  ['goods/reads', { reads: 'owner' }],
  ['goods/share', { percent: 5 }],
  ['goods/owner', SWITCH],
  ['goods/call-off', { why: 'a test' }],
] as const

describe('an action', () => {
  it('without a session is refused', async () => {
    for (const path of ['goods/reads', 'goods/share', 'goods/owner', 'goods/call-off'])
      expect(await codeOf(await house.act(path, {}, {}))).toEqual([401, 'no-session'])
    for (const path of ['events', 'audit', 'session'])
      expect((await fetch(`${house.url}/console/${path}`)).status, path).toBe(401)
  })

  it('without the page’s proof, or from another site, is refused, and stands in the audit', async () => {
    const { cookie, csrf } = await house.sessionOf('ann')
    const attempts: [Partial<Session>, Record<string, string>][] = [
      [{ cookie }, {}],
      [{ cookie, csrf: `${csrf}x` }, {}],
      [{ cookie, csrf: (await house.sessionOf('vic')).csrf }, {}],
      [{ cookie, csrf }, { origin: 'http://evil.example' }],
      [{ cookie, csrf }, { 'sec-fetch-site': 'same-site' }],
    ]
    for (const [session, headers] of attempts) {
      expect(await codeOf(await house.act('goods/reads', { reads: 'owner' }, session, headers))).toEqual([
        403,
        'no-proof',
      ])
      await house.auditSays('console: reads', 'refused')
    }
    expect(await house.auditOf('console: reads')).toMatchObject({
      ...{ who: 'ann', context: 'goods', result: 'refused' },
      why: expect.stringContaining('does not show that the console’s own page has sent it'),
    })
    for (const [path, body] of ACTIONS) {
      expect(await codeOf(await house.act(path, body, { cookie })), path).toEqual([403, 'no-proof'])
      await house.auditSays(`console: ${path.split('/')[1]}`, 'refused')
    }
    expect([await house.reads(), house.unleash.shares]).toEqual(['flag', []])
  })

  it('of a viewer is refused, and stands in the audit', async () => {
    const viewer = await house.sessionOf('vic')
    for (const [path, body] of ACTIONS) {
      expect(await codeOf(await house.act(path, body, viewer))).toEqual([403, 'not-an-operator'])
      await house.auditSays(`console: ${path.split('/')[1]}`, 'refused')
    }
    expect(await house.auditOf('console: call-off')).toMatchObject({
      who: 'vic',
      why: expect.stringContaining('as a viewer'),
    })
    expect([await house.reads(), house.unleash.shares]).toEqual(['flag', []])
  })

  it('on a context that there is not is refused, whatever it is', async () => {
    const ann = await house.sessionOf('ann')
    await leading()
    for (const [path, body] of ACTIONS) {
      const action = path.replace('goods', 'nobody')
      expect(await codeOf(await house.act(action, body, ann)), action).toEqual([404, 'unknown-context'])
    }
    expect([await house.reads(), house.unleash.shares]).toEqual(['flag', []])
  })

  it('is POST alone', async () => {
    const { cookie } = await house.sessionOf('ann')
    for (const path of ['reads', 'share', 'owner', 'call-off'])
      expect((await fetch(`${house.url}/console/contexts/goods/${path}`, { headers: { cookie } })).status).toBe(404)
  })

  it('pulls the kill switch in the operator’s name', async () => {
    const ann = await house.sessionOf('ann')
    expect((await house.act('goods/reads', { reads: 'owner', why: 'it is slow' }, ann)).status).toBe(200)
    expect(await house.reads()).toBe('owner')
    expect(await house.auditOf('reads')).toMatchObject({
      who: 'ann',
      what: 'reads',
      why: 'it is slow',
      result: 'done',
    })
    await house.act('goods/reads', { reads: 'flag' }, ann)
  })

  it('pulls no kill switch of a context that the control database does not know, and says so', async () => {
    house.known.set('wares', ownershipOf('wares', { phase: 'ready' }))
    onTestFinished(() => void house.known.delete('wares'))
    const ann = await house.sessionOf('ann')
    expect(await codeOf(await house.act('wares/reads', { reads: 'owner' }, ann))).toEqual([404, 'unknown-context'])
  })

  it('sets a share in Unleash, and refuses one that is none, or whose time has not come', async () => {
    const ann = await house.sessionOf('ann')
    expect((await house.act('goods/share', { percent: 25, why: 'all is well' }, ann)).status).toBe(200)
    expect(house.unleash.shares).toEqual([['goods-reads', 25]])
    expect(await house.auditOf('shift')).toMatchObject({
      ...{ who: 'ann', what: 'shift', context: 'goods', why: 'all is well', result: 'done' },
      ...{ old: { 'goods-reads': 5 }, new: { 'goods-reads': 25 } },
    })
    for (const percent of [-1, 101, 2.5, '25', null]) {
      const answer = await house.act('goods/share', { percent }, ann)
      expect(answer.headers.get('content-type')).toContain('application/problem+json')
      expect(JSON.stringify(await answer.json()), String(percent)).toContain('must be a whole number from 0 to 100')
      expect(answer.status).toBe(422)
    }
    for (const [phase, why] of [
      ['copying', 'goods to be ready; it is copying'],
      ['switched', 'its service answers its reads as their owner'],
    ] as const) {
      house.known.set('goods', ownershipOf('goods', { phase }))
      const refused = await house.act('goods/share', { percent: 1 }, ann)
      expect(await refused.json(), phase).toMatchObject({
        ...{ status: 409, code: 'refused' },
        detail: expect.stringContaining(why),
      })
      // The way back is open in any phase.
      expect((await house.act('goods/share', { percent: 0 }, ann)).status, phase).toBe(200)
    }
    house.known.set('goods', ownershipOf('goods', { phase: 'ready' }))
    house.unleash.fails = true
    expect(await codeOf(await house.act('goods/share', { percent: 1 }, ann))).toEqual([502, 'unleash-refused'])
    expect(await house.auditOf('shift')).toMatchObject({ result: 'failed' })
    expect(house.unleash.shares).toEqual([25, 0, 0].map((percent) => ['goods-reads', percent]))
  })

  it('sets no share where Unleash’s admin token is missing, and says so', async () => {
    const readOnly = await startConsole({ flagAdmin: null })
    onTestFinished(() => readOnly.close())
    const answer = await readOnly.act('goods/share', { percent: 1 }, await readOnly.sessionOf('ann'))
    expect(await answer.json()).toMatchObject({
      ...{ status: 409, code: 'shares-are-read-only' },
      detail: expect.stringContaining('UNLEASH_ADMIN_TOKEN'),
    })
  })

  it('asks for a switch as the command line does, by name and with a reason, while a mover runs', async () => {
    const ann = await house.sessionOf('ann')
    expect(await codeOf(await house.act('goods/owner', SWITCH, ann))).toEqual([409, 'no-mover'])
    await leading()
    // A reason is a few words, which a space or two letters are not.
    for (const why of [undefined, '   ', 'ok']) {
      expect((await house.act('goods/owner', { verb: 'switch', why }, ann)).status, why).toBe(422)
      expect((await house.act('goods/owner', { verb: 'rollback', why }, ann)).status, why).toBe(422)
      expect((await house.act('goods/call-off', { why }, ann)).status, why).toBe(422)
    }
    expect((await house.act('goods/owner', { ...SWITCH, verb: 'complete' }, ann)).status).toBe(422)
    expect((await house.act('goods/owner', SWITCH, ann)).status).toBe(202)
    expect(await lastIntent()).toMatchObject({
      verb: 'switch',
      source: 'console',
      who: 'ann',
      args: {},
      state: 'pending',
    })
    const again = await house.act('goods/owner', { ...SWITCH, verb: 'rollback' }, ann)
    expect(await again.json()).toMatchObject({ detail: 'The rollback waits for the switch that ann asked for to end.' })
    expect((await house.act('goods/call-off', { why: 'changed my mind' }, ann)).status).toBe(202)
    expect(await lastIntent()).toMatchObject({ state: 'cancelled' })
    expect(await house.auditOf('abort')).toMatchObject({ who: 'ann', result: 'cancelled' })
    expect(await codeOf(await house.act('goods/call-off', { why: 'once more' }, ann))).toEqual([409, 'refused'])
    await house.act('goods/owner', { ...SWITCH, withoutParity: true }, ann)
    expect(await lastIntent()).toMatchObject({ args: { withoutParity: 'a quiet hour' } })
  })

  it('with a reason that the audit cannot keep is refused before anything is done', async () => {
    const ann = await house.sessionOf('ann')
    await leading()
    for (const [path, body] of ACTIONS)
      expect(await codeOf(await house.act(path, { ...body, why: 'a zero\0byte' }, ann)), path).toEqual([
        422,
        'invalid-request',
      ])
    expect([await house.reads(), house.unleash.shares]).toEqual(['flag', []])
  })

  it('has no right in the control database beyond that', async () => {
    const refused = [
      "insert into banyan.intents (context, verb, source, who) values ('goods', 'complete', 'cli', 'x')",
      "select banyan.ask('goods', 'complete', '{}', 'cli', 'x', 'y')",
      'select * from banyan.intents',
      'select * from banyan.verifications',
      "update banyan.contexts set owner = 'service'",
      'delete from banyan.audit',
    ]
    for (const statement of refused)
      await expect(house.pool.query(statement), statement).rejects.toThrow('permission denied')
    for (const [verb, who, why] of [
      ['complete', 'ann', 'why'],
      ['switch', ' ', 'why'],
      ['switch', 'ann', null],
    ])
      await expect(
        house.pool.query('select banyan.ask_at_console($1, $2, $3, $4, false)', ['goods', verb, who, why]),
      ).rejects.toThrow('asks for a switch or rollback')
  })
})

/** Holds the lead, as a mover does, until the test is over. */
async function leading(): Promise<void> {
  const client = await house.control.connect()
  onTestFinished(() => client.release(true))
  await client.query('select pg_advisory_lock(1650552441)')
}
const lastIntent = async () =>
  (await house.control.query('select * from banyan.intents order by id desc limit 1')).rows[0]
