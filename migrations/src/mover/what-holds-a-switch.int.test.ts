import { afterAll, beforeAll, expect, it } from 'vitest'
import { rabbitApi } from '../../../tests/support/infra.ts'
import { askFor, intentState } from '../control/intents.ts'
import { CHANGES_EXCHANGE, laneQueue } from '../data/change-lane.ts'
import { createWorld, until, type World } from './testing/world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld({ rows: 10 })
  world.start()
  await world.makeReady()
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

it('rule 17: a switch waits at the hold for every live one to have seen this very epoch, and to have drained', async () => {
  const { control, shop } = world.db
  await control.query(
    `insert into banyan.subscribers (context, id, kind, epoch_seen, drained, lease_until)
     select 'goods', id, 'proxy', seen, drained, clock_timestamp() + interval '1 min'
     from (values ('busy', 1000000, false), ('slow', 1, true)) of (id, seen, drained)`,
  )
  const id = await askFor(control, { context: 'goods', verb: 'switch', source: 'cli', who: 'test' })
  await until('the switch to wait for both', 20_000, async () => {
    const { waitsFor } = await intentState(control, id!)
    return waitsFor === 'requests in flight at proxy busy, proxy slow'
  })
  await shop.query('update products set price = price + 1 where id = 1')
  await control.query('update banyan.subscribers set epoch_seen = 1000000, drained = true')
  const end = await until('the switch to end', 30_000, async () => {
    const { state } = await intentState(control, id!)
    return state === 'pending' || state === 'running' ? null : state
  })
  expect(end).toBe('done')
  await control.query('delete from banyan.subscribers')
  expect(await world.ask('rollback')).toMatchObject({ state: 'done' })
})

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
  // A beat that was under way may still come back. Of two that are sent from now on, the second finds none before it.
  const sent = async () => {
    const { rows } = await world.db.goods.query("select beat::int from banyan.canary where from_side = 'service'")
    return rows[0].beat as number
  }
  const before = await sent()
  await until('two beats', 20_000, async () => (await sent()) >= before + 2)
  await world.db.control.query(`update banyan.sightings set canary_at = clock_timestamp() - interval '1 min'`)
  const waitsFor = expect.stringMatching(/a canary row to come back on the reverse path/)
  expect(await world.ask('switch')).toMatchObject({ state: 'refused', waitsFor })
})
