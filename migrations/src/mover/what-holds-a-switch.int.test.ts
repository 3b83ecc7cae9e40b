import { afterAll, beforeAll, expect, it } from 'vitest'
import { createWorld, type World } from './testing/world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld({ rows: 10 })
  world.start()
  for (const verb of ['prepare', 'backfill', 'verify'] as const)
    expect(await world.ask(verb)).toMatchObject({ state: 'done' })
})
afterAll(() => world.drop())

it.each(['switch', 'rollback'] as const)(
  'rule 17: a proxy that was killed holds up a %s for seconds, not for ever',
  async (verb) => {
    const { control } = world.db
    await control.query(
      `insert into banyan.subscribers (context, id, kind, epoch_seen, drained, lease_until)
     values ('goods', $1, 'proxy', 1, true, clock_timestamp() - interval '1 s')`,
      [`before the ${verb}`],
    )
    expect(await world.ask(verb)).toMatchObject({ state: 'done' })
    const { rows } = await control.query(
      `select old ->> 'id' as id from banyan.audit where what = 'remove proxy' order by at`,
    )
    expect(rows.at(-1)).toEqual({ id: `before the ${verb}` })
  },
)
