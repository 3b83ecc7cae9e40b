import { createLogger } from '@banyan/kit/service'
import type pg from 'pg'
import { expect, it } from 'vitest'
import { watchInstances } from './instances.ts'
import { createUpstreams } from './upstreams.ts'

it('follows everybody else when an instance announces an address that is none', async () => {
  const rows = [
    { id: 'a', service: 'parcel-service', url: 'https://parcels.example' },
    { id: 'b', service: 'parcel-service', url: 'no address' },
    { id: 'c', service: 'goods-service', url: 'http://127.0.0.1:9999' },
  ]
  const upstreams = createUpstreams([], { parcels: 'http://127.0.0.1:3002', goods: 'http://127.0.0.1:3001' })
  const watch = watchInstances({
    pool: { query: async () => ({ rows, rowCount: rows.length }) } as unknown as pg.Pool,
    services: { parcels: 'parcel-service', goods: 'goods-service' },
    upstreams,
    logger: createLogger({ name: 'test', level: 'silent' }),
  })
  await watch.ready
  watch.close()
  expect(upstreams.all()).toEqual({
    monolith: [],
    parcels: ['http://127.0.0.1:3002'],
    goods: ['http://127.0.0.1:9999'],
  })
})
