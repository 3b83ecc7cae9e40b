import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { connectBroker } from '@banyan/kit/broker'
import { expect, test } from 'vitest'
import { createTestVhost } from '../../../tests/support/infra.ts'
import { changesBroker, startApplier } from './change-lane.ts'
import { startChangesRelay } from './changes-relay.ts'
import { fenceSource } from './fence.ts'
import { awaitMarker, markerApplied } from './marker.ts'
import { createLane, rowsOf } from './testing/lane-fixture.ts'

const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

test('changes go over a real queue, stand before what cannot be applied, and go on', async () => {
  const it = await createLane({ ddl: 'create table items (id int primary key, name text)', tables: ['items'] })
  const vhost = await createTestVhost()
  const broker = await connectBroker({ url: vhost.url, name: 'lane test', logger: log })
  const port = changesBroker(broker)
  const errors: unknown[] = []
  const blocked: unknown[] = []
  await port.declare(it.lane)
  const relay = startChangesRelay(() => it.lane, port, { onError: (error) => errors.push(error) })
  const applier = await startApplier(() => it.lane, port, {
    onBlocked: (change) => blocked.push(change),
    onError: (error) => errors.push(error),
  })
  try {
    await it.targetAdmin.query('alter table items add constraint short check (length(name) < 8)')
    await it.sourceApp.query(`insert into items select i, 'n' || i from generate_series(1, 3000) i;
      delete from items where id % 7 = 0`)
    await it.sourceApp.query(`insert into items values (5000, 'too long for them')`)
    const { marker } = await fenceSource(it.lane)
    const until = performance.now() + 20_000
    while (blocked.length === 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(blocked[0]).toMatchObject({ key: '["5000"]' })
    expect(await markerApplied(it.lane, marker)).toBe(false)
    await it.targetAdmin.query('alter table items drop constraint short')
    await awaitMarker(it.lane, marker, 20_000)
    expect(blocked.at(-1)).toBeNull()
    expect(await rowsOf(it.targetAdmin, 'items')).toEqual(await rowsOf(it.sourceAdmin, 'items'))
    expect(errors).toEqual([])
  } finally {
    await relay.close()
    await applier.close()
    await port.close()
    await broker.close()
    await vhost.drop()
    await it.drop()
  }
}, 60_000)

test('a broker that takes the connection and answers nothing keeps nobody for ever', async () => {
  const sockets: Socket[] = []
  const silent = createServer((socket) => sockets.push(socket.on('error', () => undefined)))
  await once(silent.listen(0, '127.0.0.1'), 'listening')
  const { port } = silent.address() as AddressInfo
  const broker = connectBroker({ url: `amqp://guest:guest@127.0.0.1:${port}`, name: 'lane test', logger: log })
  const lane = { context: 'shop', toSide: 'service' } as const
  const begun = performance.now()
  try {
    await expect(changesBroker(broker).consume(lane, async () => 0)).rejects.toThrow(/nothing could be consumed/)
    expect(performance.now() - begun).toBeLessThan(20_000)
  } finally {
    for (const socket of sockets) socket.destroy()
    silent.close()
    await broker.close()
  }
}, 60_000)
