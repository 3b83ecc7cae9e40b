import { afterAll, beforeAll, expect, it } from 'vitest'
import { askFor } from '../control/intents.ts'
import { literal } from '../data/sql-text.ts'
import { CAPTURE, FENCE, TRUNCATE } from '../data/trigger-names.ts'
import { banyan, cliEnvironment } from './testing/mover-process.ts'
import { createWorld, until, type World } from './testing/world.ts'

let world: World
let cli: Awaited<ReturnType<typeof cliEnvironment>>
let shownOfPrepare = ''
beforeAll(async () => {
  world = await createWorld({ rows: 50 })
  cli = await cliEnvironment(world)
})
afterAll(async () => {
  await cli.drop()
  await world.drop()
})

const everything = async () => {
  const { rows } = await world.db.control.query(
    'select (select json_agg(c) from banyan.contexts c) as contexts, (select count(*) from banyan.intents) as intents, (select count(*) from banyan.audit) as audit',
  )
  return rows[0]
}

it.each(['unprepare', 'backfill', 'pause', 'resume', 'verify', 'repair', 'switch', 'rollback', 'abort', 'complete'])(
  'banyan %s out of order exits 2, says what it waits for and changes nothing',
  async (verb) => {
    const before = await everything()
    const refused = await banyan(cli.env, verb, 'goods', '--json')
    expect(refused.code).toBe(2)
    expect(JSON.parse(refused.out)).toMatchObject({ state: 'refused', waitsFor: expect.stringContaining('idle') })
    expect(await everything()).toEqual(before)
  },
)

it('an abort, or a dry run of it, is refused where something else than a switch is asked for, and leaves that alone', async () => {
  await askFor(world.db.control, { context: 'goods', verb: 'prepare', args: {}, source: 'cli', who: 'test' })
  const before = await everything()
  for (const more of [[], ['--dry-run'], ['--dry-run', '--json']]) {
    const refused = await banyan(cli.env, 'abort', 'goods', ...more)
    expect(refused.code).toBe(2)
    expect(refused.err).toContain('abort needs a switch or rollback of goods under way; it is idle')
    if (more.includes('--json'))
      expect(JSON.parse(refused.out)).toMatchObject({ waitsFor: expect.stringContaining('idle') })
  }
  expect(await everything()).toEqual(before)
  const { rows } = await world.db.control.query('delete from banyan.intents returning state')
  expect(rows).toEqual([{ state: 'pending' }])
})

it.each(['prepare', 'abort'])(
  'banyan %s with a timeout that is none is refused before anything is asked',
  async (verb) => {
    const before = await everything()
    const refused = await banyan(cli.env, verb, 'goods', '--timeout', 'soon', '--json')
    expect(refused.code).toBe(2)
    expect(JSON.parse(refused.out)).toMatchObject({ state: 'refused', waitsFor: expect.stringContaining('--timeout') })
    expect(await everything()).toEqual(before)
  },
)

it('a dry run shows the steps and changes nothing', async () => {
  const before = await everything()
  const shown = await banyan(cli.env, 'prepare', 'goods', '--dry-run')
  shownOfPrepare = shown.out
  expect(shown.out).toContain('create or replace function banyan."capture public.products"')
  expect(shown.out).toContain('the way back: banyan unprepare')
  expect(shown.code).toBe(0)
  expect(await everything()).toEqual(before)
})

it('a dry run shows what the options of its command would do, and refuses what is none', async () => {
  const drop = 'drop table if exists retired."products", retired."stock";'
  expect((await banyan(cli.env, 'complete', 'goods', '--dry-run')).out).not.toContain(drop)
  expect((await banyan(cli.env, 'complete', 'goods', '--dry-run', '--drop')).out).toContain(drop)
  expect((await banyan(cli.env, 'complete', 'goods', '--dry-run', '--quiet', 'soon')).err).toContain('--quiet')
})

it('two movers at once: one leads, the other stands by and takes over when the first ends', async () => {
  const first = world.start()
  await until('the first to lead', 10_000, async () => first.leading())
  const second = world.start()
  expect(await world.ask('prepare')).toMatchObject({ state: 'done' })
  expect(second.leading()).toBe(false)
  const { token } = await world.stored()
  await first.stop()
  await until('the second to lead', 10_000, async () => second.leading())
  expect(await world.ask('backfill')).toMatchObject({ state: 'done' })
  expect((await world.stored()).token).toBeGreaterThan(token)
})

it('what prepare has installed is what its dry run has shown', async () => {
  for (const db of [world.db.shop, world.db.goods]) {
    const { rows: functions } = await db.query<{ body: string }>(
      `select prosrc as body from pg_proc where pronamespace = 'banyan'::regnamespace and proname like 'capture %'`,
    )
    expect(functions).toHaveLength(3)
    for (const { body } of functions) expect(shownOfPrepare).toContain(literal(body))
  }
  for (const name of [CAPTURE, FENCE, TRUNCATE])
    for (const table of ['products', 'stock'])
      expect(shownOfPrepare).toMatch(new RegExp(`trigger "${name}" .* on "public"."${table}"`))
})

it('an abort that finds the target open rolls forward: a failover has lost the owner commit', async () => {
  expect(await world.ask('verify')).toMatchObject({ state: 'done' })
  expect(await world.ask('switch')).toMatchObject({ state: 'done' })
  const { token, term } = await world.stored()
  await world.db.control.query(
    `insert into banyan.attempts (context, token, direction) values ('goods', $1, 'to-service') on conflict (context, token)
     do update set ended_at = null, result = null`,
    [String(token)],
  )
  await world.db.control.query(
    `update banyan.contexts set phase = 'aborting', step = 'raise-target', direction = 'to-service', former_phase = 'ready',
       owner = 'monolith', hold = true, term = $1 where context = 'goods'`,
    [String(term - 1n)],
  )
  await until('the switch to be whole again', 20_000, async () => {
    const now = await world.stored()
    return now.phase === 'switched' && now.step === null
  })
  expect(await world.stored()).toMatchObject({ owner: 'service', hold: false, term })
  await expect(world.db.shop.query('update products set price = 0')).rejects.toMatchObject({ code: 'BN001' })
  await world.db.goods.query('update products set price = 2 where id = 1')
})
