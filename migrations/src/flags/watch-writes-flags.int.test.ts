import { createLogger } from '@banyan/kit/service'
import { expect, it } from 'vitest'
import { askFor, openIntent, settleIntent } from '../control/intents.ts'
import { createWorld, until } from '../mover/testing/world.ts'
import { watchWritesFlags } from './watch-writes-flags.ts'

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
