import { setTimeout as sleep } from 'node:timers/promises'
import { createFlagAdmin, type FlagAdmin } from '@banyan/kit/flags/admin'
import { Command } from 'commander'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { startRelay } from '../../../strangler-proxy/test-support/relay.ts'
import { startUpstream, type TestUpstream } from '../../../strangler-proxy/test-support/upstream.ts'
import { OPS_TOKEN, startWholeProxy } from '../../../strangler-proxy/test-support/whole-proxy.ts'
import { makeTestFlag, testUnleash } from '../../../tests/support/infra.ts'
import { createCli } from '../commands/create-cli.ts'
import { addShadow } from '../commands/shadow.ts'
import { addShift } from '../commands/shift.ts'
import { cliEnvironment } from '../mover/testing/mover-process.ts'
import { createWorld, until, type World } from '../mover/testing/world.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
`
const FLAG = 'goods-reads'
let world: World
let cli: Awaited<ReturnType<typeof cliEnvironment>>
let flags: FlagAdmin
let monolith: TestUpstream
let service: TestUpstream
let proxy: Awaited<ReturnType<typeof startWholeProxy>>
let broken: boolean
let monolithMs: number
/** Where a command asks Unleash. */
let unleashUrl: string
let buying: boolean
let shoppers: Promise<void>[]
let dropFlags: (() => Promise<void>)[]

beforeAll(async () => {
  world = await createWorld({ rows: 1 })
  cli = await cliEnvironment(world)
  const unleash = testUnleash()
  flags = createFlagAdmin({ url: unleash.url, adminToken: unleash.adminToken, environment: 'development' })
  dropFlags = [await makeTestFlag(FLAG), await makeTestFlag('goods-shadow')]
  monolith = await startUpstream('monolith', (_req, res) => {
    const answer = () => res.writeHead(200).end()
    if (monolithMs === 0) answer()
    else setTimeout(answer, monolithMs)
  })
  service = await startUpstream('service', (_req, res) => res.writeHead(broken ? 500 : 200).end())
  proxy = await startWholeProxy({
    ...{ routes: ROUTES, controlUrl: world.urls.control, unleash },
    ...{ monolith: monolith.url, services: { goods: service.url } },
  })
})
beforeEach(async () => {
  broken = false
  monolithMs = 0
  unleashUrl = testUnleash().url
  buying = true
  shoppers = []
  await world.db.control.query(`update banyan.contexts set phase = 'ready', reads = 'flag' where context = 'goods'`)
  // A busy Unleash takes it at the second try.
  await until('Unleash takes the flag', 30_000, () =>
    flags.setShare(FLAG, 0).then(
      () => true,
      () => false,
    ),
  )
  // Reads by the share of the test before would be counted for the first one of this.
  await until('the proxy has heard of it', 30_000, async () => (await shareAtTheProxy()) === 0)
})
afterEach(async () => {
  buying = false
  await Promise.all(shoppers)
})
afterAll(async () => {
  await proxy.close()
  await monolith.close()
  await service.close()
  for (const drop of dropFlags) await drop()
  await cli.drop()
  await world.drop()
})

/** Each request is somebody else's, so that a share of the flag is one of the requests. */
const letShoppersIn = (pauseMs = 0) => {
  shoppers = Array.from({ length: 4 }, async () => {
    while (buying) {
      await (await fetch(`${proxy.url}/api/goods`)).arrayBuffer()
      await sleep(pauseMs)
    }
  })
}

/** Runs a command in this very process; what it has said up to now is in `said`. */
const banyan = (...args: string[]) => {
  const said = { out: '', err: '' }
  let code = 0
  const { adminToken } = testUnleash()
  const ops = { OPS_URL: proxy.opsUrl, OPS_TOKEN }
  const env = { ...cli.env, ...ops, UNLEASH_URL: unleashUrl, UNLEASH_ADMIN_TOKEN: adminToken }
  const stream = (name: keyof typeof said) => ({
    write(text: string) {
      said[name] += text
    },
  })
  const exit = (given: number) => {
    code = given
  }
  const program = new Command()
  const made = createCli({ env, who: 'an operator', out: stream('out'), err: stream('err'), exit })
  for (const add of [addShift, addShadow]) add(program, made)
  const ended = program.parseAsync(args, { from: 'user' }).then(() => ({ ...said, code }))
  return { said, ended }
}
const climb = (shares: string, ...more: string[]) =>
  banyan('shift', 'goods', '--auto', shares, '--interval', '1', '--samples', '40', ...more)
const audit = async () =>
  (await world.db.control.query('select who, what, old, new, why, result from banyan.audit order by id desc limit 2'))
    .rows
const guardSaid = async () =>
  (await world.db.control.query(`select who, share, decision, because, sides from banyan.watches`)).rows[0]
const readsOf = async () =>
  (await world.db.control.query(`select reads from banyan.contexts where context = 'goods'`)).rows[0]?.reads
const shareAtTheProxy = async (): Promise<number | null> => {
  const answer = await fetch(`${proxy.opsUrl}/routing`, { headers: { authorization: `Bearer ${OPS_TOKEN}` } })
  const { contexts } = (await answer.json()) as { contexts: { context: string; flag: { share: number | null } }[] }
  return contexts.find((one) => one.context === 'goods')?.flag.share ?? null
}
/** No read goes to the service any more: it is not asked while the monolith answers fifty. */
const allAtTheMonolith = () =>
  until('all reads are at the monolith', 10_000, async () => {
    const [before, asked] = [monolith.seen.length, service.seen.length]
    while (monolith.seen.length < before + 50) await sleep(5)
    return service.seen.length === asked
  })

describe('shift --auto', () => {
  it('climbs to the top while the service is no worse, saying how it stands', async () => {
    // The slower of the two, so that a busy machine alone does not make the service the worse one.
    monolithMs = 100
    letShoppersIn()
    const { ended } = climb('25,100')
    const { code, out, err } = await ended
    expect(code, out + err).toBe(0)
    expect(out).toContain('goods-reads is at 100 %, watched and no worse')
    expect(err).toMatch(/25 % {2}service \d+ reads, 0 failed, p99 ≤ \d+ ms; monolith \d+ reads.* → promote/)
    expect(await flags.share(FLAG)).toBe(100)
    expect(await audit()).toMatchObject([
      { who: 'an operator', what: 'shift', old: { [FLAG]: 25 }, new: { [FLAG]: 100 }, result: 'done' },
      { who: 'an operator', what: 'shift', old: { [FLAG]: 0 }, new: { [FLAG]: 25 }, result: 'done' },
    ])
  })

  it('takes reads back within two intervals when the service breaks, and the audit says why', async () => {
    broken = true
    letShoppersIn()
    const { code, out } = await climb('50,100', '--json').ended
    expect(code, out).toBe(1)
    const said: { history: { service: { answered: number; failed: number } }[] } = JSON.parse(out)
    expect(said).toMatchObject({ state: 'called-back', flag: FLAG, percent: 0, from: 50, killed: false })
    // The first of the two is the one in which the proxy hears of the share: before that there is nothing to watch.
    const watched = said.history.filter(({ service: { answered, failed } }) => answered + failed > 0)
    expect(watched.length, out).toBeLessThanOrEqual(2)
    expect(await flags.share(FLAG)).toBe(0)
    expect((await audit())[0]).toMatchObject({
      ...{ who: 'an operator (guard)', what: 'shift', old: { [FLAG]: 50 }, new: { [FLAG]: 0 }, result: 'called back' },
      why: expect.stringMatching(/100\.0 % of the service's \d+ reads failed, and 0\.0 % of the monolith's/),
    })
    expect(await guardSaid()).toMatchObject({
      ...{ who: 'an operator', share: 50, decision: 'back' },
      because: expect.stringMatching(/100\.0 % of the service's \d+ reads failed/),
      sides: {
        service: { failed: expect.any(Number), p99Ms: null },
        monolith: { failed: 0, p99Ms: expect.any(Number) },
      },
    })
    await allAtTheMonolith()
    expect(await readsOf()).toBe('flag')
  })

  it('throws the kill switch as well where that is wanted, and says how it is let go', async () => {
    broken = true
    letShoppersIn()
    const { code, err } = await climb('50', '--kill-switch').ended
    expect(code).toBe(1)
    expect(err).toContain('the kill switch is on')
    expect(await readsOf()).toBe('owner')
    expect(await flags.share(FLAG)).toBe(0)
    expect((await audit()).map(({ what, result }) => `${what} ${result}`)).toEqual([
      'shift called back',
      'reads called back',
    ])
    await allAtTheMonolith()
  })

  it('throws the kill switch unasked where Unleash cannot be told to take the reads back, and the audit says why', async () => {
    const url = new URL(unleashUrl)
    const cable = await startRelay(Number(url.port))
    onTestFinished(() => cable.close())
    url.port = String(cable.port)
    unleashUrl = url.href
    letShoppersIn()
    const { said, ended } = climb('50,100', '--samples', '1000000')
    await until('it watches', 60_000, async () => said.err.includes('→ pause'))
    cable.cut()
    broken = true
    const { code, err } = await ended
    expect([code, err]).toEqual([1, expect.stringContaining('the kill switch is on')])
    expect([await readsOf(), await flags.share(FLAG)]).toEqual(['owner', 50])
    expect(await audit()).toMatchObject([
      {
        what: 'shift',
        old: { [FLAG]: 50 },
        new: { [FLAG]: 0 },
        result: expect.stringMatching(/^Unleash did not take it/),
      },
      { what: 'reads', old: { reads: 'flag' }, new: { reads: 'owner' }, result: 'called back' },
    ])
    await allAtTheMonolith()
  })

  it.each([
    ['the kill switch was thrown', `reads = 'owner'`],
    ['goods was switched', `phase = 'switched'`],
    ['goods was switched', `phase = 'completed'`],
  ])('ends where %s meanwhile (%s), and leaves the flag as it is', async (what, change) => {
    letShoppersIn()
    const { said, ended } = climb('50,100', '--samples', '1000000')
    await until('it watches', 60_000, async () => said.err.includes('→ pause'))
    await world.db.control.query(`update banyan.contexts set ${change} where context = 'goods'`)
    const { code, err } = await ended
    expect([code, err]).toEqual([1, expect.stringContaining(`${what} while it climbed`)])
    expect(await flags.share(FLAG)).toBe(50)
  })

  it('pauses with too few reads and never goes on; who sets the flag meanwhile ends it', async () => {
    // A few readers, of whom hardly anybody is among the one in a hundred.
    letShoppersIn(50)
    const { said, ended } = climb('1,50')
    await until('it has looked four times', 60_000, async () => said.err.split('→ pause').length > 4)
    expect(said.err).toMatch(/the service has had \d+ of 40 reads/)
    expect(said.err).not.toMatch(/promote|continue/)
    expect(await guardSaid()).toMatchObject({
      share: 1,
      decision: 'pause',
      because: expect.stringContaining('of 40 reads'),
    })
    expect(await flags.share(FLAG)).toBe(1)
    expect((await banyan('shift', 'goods', '0').ended).code).toBe(0)
    const { code, err } = await ended
    expect(code).toBe(1)
    expect(err).toContain('goods-reads was set to 0 % while it climbed')
    expect(await flags.share(FLAG)).toBe(0)
  })

  it.each([
    [['shift', 'goods'], 'either a share or --auto'],
    [['shift', 'goods', '5', '--auto', '1,5'], 'either a share or --auto'],
    [['shift', 'goods', '--auto', '5,1'], 'rising shares'],
    [['shift', 'goods', '--auto', '100'], 'to begin below 100'],
    [['shift', 'goods', '--auto', '1,500'], 'a whole number from 0 to 100'],
    [['shift', 'goods', '--auto', '1', '--interval', '0'], '--interval to be a whole number from 1 on'],
  ])('refuses %j before anything is done', async (args, why) => {
    const { code, err } = await banyan(...args).ended
    expect([code, err]).toEqual([2, expect.stringContaining(why)])
    expect(await flags.share(FLAG)).toBe(0)
  })

  it('waits for a context that is ready, and has nothing to climb in one that is switched', async () => {
    for (const [phase, why] of [
      ['following', 'banyan verify goods'],
      ['switched', 'goods is switched'],
    ] as const) {
      await world.db.control.query(`update banyan.contexts set phase = $1 where context = 'goods'`, [phase])
      const { code, err } = await climb('1,5').ended
      expect([code, err]).toEqual([2, expect.stringContaining(why)])
    }
  })
})

describe('while the kill switch is on', () => {
  beforeEach(() => world.db.control.query(`update banyan.contexts set reads = 'owner' where context = 'goods'`))

  it('nothing climbs, for there is nothing to watch', async () => {
    const { code, err } = await climb('1,5').ended
    expect([code, err]).toEqual([2, expect.stringContaining('the kill switch to be released')])
    expect(await flags.share(FLAG)).toBe(0)
  })

  it('a share that is set says that it moves nothing yet', async () => {
    const { code, out } = await banyan('shift', 'goods', '5').ended
    expect([code, out]).toEqual([0, expect.stringContaining('goods-reads is at 5 %; but the kill switch is on')])
    expect((await audit())[0]).toMatchObject({ what: 'shift', old: { [FLAG]: 0 }, new: { [FLAG]: 5 } })
  })
})

describe('shadow', () => {
  it('sets the share of mirrored reads, and shows what all proxies have compared', async () => {
    expect((await banyan('shadow', 'goods', '--share', '100', '--dry-run').ended).out).toContain('goods-shadow')
    expect(await flags.share('goods-shadow')).toBe(0)
    const set = await banyan('shadow', 'goods', '--share', '100', '--json', '--why', 'a test').ended
    expect(JSON.parse(set.out)).toMatchObject({
      flag: 'goods-shadow',
      percent: 100,
      inverse: 'banyan shadow goods --share 0',
    })
    expect((await audit())[0]).toMatchObject({ who: 'an operator', what: 'shadow', why: 'a test', result: 'done' })
    letShoppersIn()
    const state = async () => JSON.parse((await banyan('shadow', 'goods', '--json').ended).out).state
    // Without a mover no heartbeat arrives, and that is said instead of comparing what may be late.
    await until('reads are dropped', 20_000, async () => ((await state()).dropped.behind ?? 0) > 0)
    expect(await state()).toMatchObject({ proxies: 1, shares: [100], waitsFor: ['behind'], compared: 0 })
    const beat = setInterval(() => {
      world.db.control
        .query(`update banyan.contexts set heartbeat_applied = clock_timestamp() where context = 'goods'`)
        .catch(() => undefined)
    }, 100)
    await until('reads are compared', 30_000, async () => (await state()).compared > 0)
    clearInterval(beat)
    const { code, out } = await banyan('shadow', 'goods').ended
    expect(code).toBe(0)
    expect(out).toMatch(/100 % of the reads at 1 proxy[\s\S]*compared \d+, mismatched \d+; alike at least/)
    expect((await banyan('shadow', 'goods', '--share', '0').ended).code).toBe(0)
    expect(await flags.share('goods-shadow')).toBe(0)
  })
})
