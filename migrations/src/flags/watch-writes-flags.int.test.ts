import { createLogger } from '@banyan/kit/service'
import { expect, it } from 'vitest'
import { acceptIntent, askFor, openIntent, settleIntent } from '../control/intents.ts'
import { createWorld, until } from '../mover/testing/world.ts'
import { watchWritesFlags } from './watch-writes-flags.ts'

it('what the mover sets itself is no wish, however late it is seen, and what somebody sets afterwards is one', async () => {
  const world = await createWorld({ rows: 1 })
  const { control } = world.db
  let share = 0
  let looks = 0
  const flags = {
    share: () => {
      looks++
      return share
    },
    freshness: () => ({ lastFetchMs: 0, ok: true, error: null, source: 'unleash' as const }),
  }
  const logger = createLogger({ name: 'test', level: 'silent' })
  const watch = watchWritesFlags(flags, ['goods'], control, logger, { echoMs: 600_000 })
  const someLooks = (more: number) => {
    const enough = looks + more
    return until('the flag to be looked at', 10_000, async () => looks >= enough)
  }
  const abortOf = async () => {
    const { rows } = await control.query("select args->>'abort' as abort from banyan.intents where state = 'running'")
    return rows[0].abort
  }
  try {
    await someLooks(2)
    // A switch is over, and the rollback after it has begun before Unleash's word of the switch comes round.
    const rollback = await askFor(control, { context: 'goods', verb: 'rollback', source: 'cli', who: 'test' })
    await acceptIntent(control, rollback!)
    await control.query(
      `update banyan.contexts set owner = 'service', phase = 'switching', direction = 'to-monolith' where context = 'goods'`,
    )
    watch.setting('goods', 100, Promise.resolve())
    await someLooks(2)
    share = 100
    await someLooks(3)
    expect(await abortOf()).toBeNull()
    share = 0
    await someLooks(2)
    share = 100
    await until('the flip back to call the rollback off', 5_000, abortOf)
  } finally {
    await watch.close()
    await world.drop()
  }
})

it('a flip that is seen while something else is under way is asked for when that has ended', async () => {
  const world = await createWorld({ rows: 1 })
  const { control } = world.db
  let share = 0
  let looks = 0
  const flags = {
    share: () => {
      looks++
      return share
    },
    freshness: () => ({ lastFetchMs: 0, ok: true, error: null, source: 'unleash' as const }),
  }
  const watch = watchWritesFlags(flags, ['goods'], control, createLogger({ name: 'test', level: 'silent' }))
  const someLooks = (more: number) => {
    const enough = looks + more
    return until('the flag to be looked at', 10_000, async () => looks >= enough)
  }
  try {
    const verify = await askFor(control, { context: 'goods', verb: 'verify', source: 'cli', who: 'test' })
    await someLooks(2)
    share = 100
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
    await watch.close()
    await world.drop()
  }
})
