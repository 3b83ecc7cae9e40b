import { createLogger } from '@banyan/kit/service'
import { expect, it } from 'vitest'
import { applyBatch } from '../data/apply.ts'
import { relayOnce } from '../data/changes-relay.ts'
import type { Lane } from '../data/lane.ts'
import { createLane, drain, rowsOf, Wire } from '../data/testing/lane-fixture.ts'
import { laneReconciler } from './lane-reconciler.ts'

const ITEMS = { ddl: 'create table items (id int primary key, name text unique)', tables: ['items'] }

const reconcilerOf = (lanes: { 'to-service': Lane; 'to-monolith': Lane }) =>
  laneReconciler({
    lanes: { of: async (direction: 'to-service' | 'to-monolith') => lanes[direction] },
    logger: createLogger({ name: 'test', level: 'silent' }),
    plan: { context: 'shop' },
  } as Parameters<typeof laneReconciler>[0])

it('a change that the broker refused, and that now waits behind the one that needs it, comes from the source', async () => {
  const fixture = await createLane(ITEMS)
  try {
    const { lane, back } = fixture
    const wire = new Wire()
    await fixture.sourceApp.query(`insert into items values (1, 'a'), (2, 'b')`)
    await drain(lane)
    // Row 1 hands its unique name to row 2; only the second half gets past the broker.
    await fixture.sourceApp.query(`update items set name = 'c' where id = 1; update items set name = 'a' where id = 2`)
    wire.refuse = (body) => body.includes('[\\"1\\"]')
    await relayOnce(lane, wire)
    const blocking = wire.take()
    expect((await applyBatch(lane, blocking)).blocked).toMatchObject({ key: '["2"]' })
    const round = reconcilerOf({ 'to-service': lane, 'to-monolith': { ...back, token: 0n } })
    await round()
    await round()
    expect(await rowsOf(fixture.targetAdmin, 'items')).toEqual(['(1,c)', '(2,a)'])
    expect(await applyBatch(lane, blocking)).toEqual({ done: blocking.length, blocked: null })
  } finally {
    await fixture.drop()
  }
})

it('a direction that cannot be reconciled does not keep the other from it', async () => {
  const fixture = await createLane(ITEMS)
  try {
    await fixture.sourceApp.query(`insert into items values (1, 'a')`)
    const unreachable = { ...fixture.lane, from: null } as unknown as Lane
    const round = reconcilerOf({ 'to-service': unreachable, 'to-monolith': fixture.lane })
    await round()
    await round()
    expect(await rowsOf(fixture.targetAdmin, 'items')).toEqual(['(1,a)'])
  } finally {
    await fixture.drop()
  }
})
