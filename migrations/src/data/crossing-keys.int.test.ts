import { afterEach, expect, test } from 'vitest'
import { dropCrossingKeys, findCrossingKeys, restoreCrossingKeys, validateCrossingKeys } from './crossing-keys.ts'
import { createLane, type LaneFixture } from './testing/lane-fixture.ts'

let it: LaneFixture
afterEach(() => it.drop())

const PRODUCTS = [{ schema: 'public', name: 'products' }]

/** A partition sorts before its table, so that nothing depends on which of the two comes first. */
const DDL = `
  create table products (id int primary key, season int);
  create table orders (id int, year int, product int not null constraint to_product references products,
    primary key (id, year)) partition by list (year);
  create table archive partition of orders for values in (2025);
  create table recent partition of orders for values in (2026);`

test('a key of a partitioned table goes as one and comes back, where no row violates it', async () => {
  it = await createLane({ ddl: DDL, tables: ['products'] })
  await it.sourceApp.query('insert into products values (1); insert into orders values (1, 2025, 1), (2, 2026, 1)')
  const found = await findCrossingKeys(it.lane.from, PRODUCTS)
  expect(found).toMatchObject([{ table: { name: 'orders' }, name: 'to_product' }])
  await dropCrossingKeys(it.lane.from, it.lane, PRODUCTS)
  expect(await findCrossingKeys(it.lane.from, PRODUCTS)).toEqual([])
  await it.sourceApp.query('insert into orders values (3, 2026, 99)')
  await restoreCrossingKeys(it.lane.from, it.lane)
  expect(await validateCrossingKeys(it.lane.from, it.lane)).toMatchObject([{ name: 'to_product' }])
  await it.sourceApp.query('delete from orders where id = 3')
  await restoreCrossingKeys(it.lane.from, it.lane)
  expect(await validateCrossingKeys(it.lane.from, it.lane)).toEqual([])
  expect(await findCrossingKeys(it.lane.from, PRODUCTS)).toEqual(found)
  await expect(it.sourceApp.query('insert into orders values (3, 2026, 99)')).rejects.toMatchObject({ code: '23503' })
})

test('a key to a partitioned table is one as well, whatever has become of its partitions meanwhile', async () => {
  it = await createLane({
    ddl: `create table seasons (id int primary key) partition by range (id);
      create table seasons_old partition of seasons for values from (0) to (10);
      create table seasons_new partition of seasons for values from (10) to (20);
      create table products (id int primary key, season int constraint of_season references seasons)`,
    tables: ['products'],
  })
  await it.sourceApp.query('insert into seasons values (1), (11); insert into products values (1, 11)')
  const found = await findCrossingKeys(it.lane.from, PRODUCTS)
  expect(found).toMatchObject([{ table: { name: 'products' }, name: 'of_season' }])
  await dropCrossingKeys(it.lane.from, it.lane, PRODUCTS)
  await it.sourceAdmin.query('drop table seasons_old')
  await restoreCrossingKeys(it.lane.from, it.lane)
  expect(await validateCrossingKeys(it.lane.from, it.lane)).toEqual([])
  expect(await findCrossingKeys(it.lane.from, PRODUCTS)).toEqual(found)
})
