import { expect, it } from 'vitest'
import { createWorld } from '../mover/testing/world.ts'
import { readSubscribers, removeLapsed } from './subscribers.ts'

it('rule 17: a subscriber is struck off 3 s after its lease ended, not earlier, and the audit says so', async () => {
  const world = await createWorld({ rows: 1 })
  const { control } = world.db
  try {
    await control.query(
      `insert into banyan.subscribers (context, id, kind, epoch_seen, drained, lease_until)
       select 'goods', id, 'proxy', 1, false, clock_timestamp() + make_interval(secs => s)
       from (values ('alive', 20), ('late', -1), ('gone', -4)) of (id, s)`,
    )
    expect(await removeLapsed(control, 'goods')).toEqual(['gone'])
    expect((await readSubscribers(control, 'goods')).map((one) => one.id)).toEqual(['alive', 'late'])
    const { rows } = await control.query('select who, what, context, why, result from banyan.audit')
    const why = 'its lease ended more than 3 s ago'
    expect(rows).toEqual([{ who: 'mover', what: 'remove proxy', context: 'goods', why, result: 'done' }])
  } finally {
    await world.drop()
  }
})
