import { createLogger } from '@banyan/kit/service'
import { expect, it } from 'vitest'
import { acceptIntent, askFor, intentState, openIntent, settleIntent } from '../control/intents.ts'
import { createWorld, until } from '../mover/testing/world.ts'
import { watchWritesFlags } from './watch-writes-flags.ts'

/** A flag that the test flips, watched for a world of its own. */
async function watched({
  first = 0,
  prepare = '',
  ...options
}: {
  echoMs?: number
  first?: number
  prepare?: string
} = {}) {
  const world = await createWorld({ rows: 1 })
  if (prepare) await world.db.control.query(prepare)
  let share = first
  let looks = 0
  const flags = {
    share: () => {
      looks++
      return share
    },
    freshness: () => ({ lastFetchMs: 0, ok: true, error: null, source: 'unleash' as const }),
  }
  const logger = createLogger({ name: 'test', level: 'silent' })
  const watch = watchWritesFlags(flags, ['goods'], world.db.control, logger, options)
  const someLooks = (more: number) => {
    const enough = looks + more
    return until('the flag to be looked at', 10_000, async () => looks >= enough)
  }
  await someLooks(2)
  return {
    control: world.db.control,
    setting: watch.setting,
    calledOff: () =>
      until(
        'what is under way to be called off',
        5_000,
        async () => (await openIntent(world.db.control, 'goods'))?.args.abort,
      ),
    someLooks,
    flip: (to: number) => {
      share = to
    },
    async end() {
      await watch.close()
      await world.drop()
    },
  }
}

it('what the mover sets itself is no wish, however late it is seen, and what somebody sets afterwards is one', async () => {
  const { control, calledOff, flip, someLooks, setting, end } = await watched({ echoMs: 600_000 })
  const abortOf = async () => {
    const { rows } = await control.query("select args->>'abort' as abort from banyan.intents where state = 'running'")
    return rows[0].abort
  }
  try {
    // A switch is over, and the rollback after it has begun before Unleash's word of the switch comes round.
    const rollback = await askFor(control, { context: 'goods', verb: 'rollback', source: 'cli', who: 'test' })
    await acceptIntent(control, rollback!)
    await control.query(
      `update banyan.contexts set owner = 'service', phase = 'switching', direction = 'to-monolith' where context = 'goods'`,
    )
    setting('goods', 100, Promise.resolve())
    await someLooks(2)
    flip(100)
    await someLooks(3)
    expect(await abortOf()).toBeNull()
    flip(0)
    await someLooks(2)
    flip(100)
    await calledOff()
  } finally {
    await end()
  }
})

it('what a mover before it set is no wish either, though Unleash tells of it only when a switch has begun', async () => {
  const begun = `update banyan.contexts set phase = 'switching', direction = 'to-service' where context = 'goods'`
  const { control, calledOff, flip, someLooks, end } = await watched({ echoMs: 600_000, first: 100, prepare: begun })
  try {
    const id = await askFor(control, { context: 'goods', verb: 'switch', source: 'cli', who: 'test' })
    await acceptIntent(control, id!)
    flip(0)
    await someLooks(3)
    expect((await openIntent(control, 'goods'))?.args.abort).toBeUndefined()
    // From here on it is somebody's again.
    flip(100)
    await someLooks(2)
    flip(0)
    await calledOff()
  } finally {
    await end()
  }
})

it('what the flag had asked for before the mover was started anew is called off by flipping it back', async () => {
  const asked = `insert into banyan.intents (context, verb, source, who, state) values ('goods', 'switch', 'flag', 'unleash', 'running');
    update banyan.contexts set phase = 'switching', direction = 'to-service' where context = 'goods'`
  const { calledOff, flip, end } = await watched({ echoMs: 600_000, first: 100, prepare: asked })
  try {
    flip(0)
    await calledOff()
  } finally {
    await end()
  }
})

it('a flip that is seen while something else is under way is asked for when that has ended', async () => {
  const { control, flip, someLooks, end } = await watched()
  try {
    const verify = await askFor(control, { context: 'goods', verb: 'verify', source: 'cli', who: 'test' })
    flip(100)
    await someLooks(3)
    expect(await openIntent(control, 'goods')).toMatchObject({ verb: 'verify' })
    await settleIntent(control, verify!, 'done', 'over')
    await until('the switch to be asked for', 5_000, () => openIntent(control, 'goods'))
    const flipped = await openIntent(control, 'goods')
    expect(flipped).toMatchObject({ verb: 'switch', source: 'flag' })
    // It was taken: once is enough.
    await settleIntent(control, flipped!.id, 'refused', 'not now')
    await someLooks(3)
    expect(await openIntent(control, 'goods')).toBeNull()
  } finally {
    await end()
  }
})

it('a flip back takes back what the flag asked for, as long as it has not begun, and nothing that others asked for', async () => {
  const { control, calledOff, flip, someLooks, end } = await watched()
  const asked = () => until('the switch to be asked for', 5_000, () => openIntent(control, 'goods'))
  try {
    flip(100)
    const pending = await asked()
    flip(0)
    await until('it to be taken back', 5_000, async () => (await openIntent(control, 'goods')) === null)
    expect(await intentState(control, pending.id)).toMatchObject({
      state: 'cancelled',
      result: { because: 'the flag goods-writes was flipped back' },
    })
    const { rows } = await control.query("select who, what, result from banyan.audit where what like 'switch%'")
    expect(rows).toEqual([{ who: 'unleash', what: 'switch (asked by flag)', result: 'cancelled' }])

    // What the mover has accepted it may begin at any moment: it is asked to call it off.
    flip(100)
    const running = await asked()
    await acceptIntent(control, running.id)
    flip(0)
    await calledOff()
    await settleIntent(control, running.id, 'refused', 'over')

    flip(100)
    await settleIntent(control, (await asked()).id, 'refused', 'not now')
    await askFor(control, { context: 'goods', verb: 'switch', source: 'cli', who: 'test' })
    flip(0)
    await someLooks(3)
    expect(await openIntent(control, 'goods')).toMatchObject({ state: 'pending', source: 'cli', args: {} })
  } finally {
    await end()
  }
})
