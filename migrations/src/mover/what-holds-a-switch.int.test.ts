import { afterAll, beforeAll, expect, it } from 'vitest'
import { rabbitApi } from '../../../tests/support/infra.ts'
import { CHANGES_EXCHANGE, laneQueue } from '../data/change-lane.ts'
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

it('a reverse path that carries nothing holds a switch, even where reconciliation finds what is missing', async () => {
  const { username, password, href } = new URL(rabbitApi())
  const vhost = encodeURIComponent(decodeURIComponent(new URL(world.urls.amqp).pathname.slice(1)))
  const queue = laneQueue({ context: 'goods', toSide: 'monolith' })
  const url = new URL(`${href}/bindings/${vhost}/e/${CHANGES_EXCHANGE}/q/${queue}/goods.monolith`)
  url.username = ''
  url.password = ''
  const authorization = `Basic ${btoa(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`)}`
  const unbound = await fetch(url, { method: 'DELETE', headers: { authorization } })
  expect(unbound.status).toBe(204)
  await world.db.control.query(`update banyan.sightings set canary_at = clock_timestamp() - interval '1 min'`)
  const waitsFor = expect.stringMatching(/a canary row to come back on the reverse path/)
  expect(await world.ask('switch')).toMatchObject({ state: 'refused', waitsFor })
})
