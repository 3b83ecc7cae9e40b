import { expect, it } from 'vitest'
import { createTestDatabase } from '../../../tests/support/infra.ts'
import { openDb } from '../data/open-db.ts'
import { becomeLeader, type Leadership } from './leader.ts'
import { openControl } from './open-control.ts'

it("every commit of the mover's is on disk before it counts, whatever the server's default", async () => {
  const database = await createTestDatabase()
  const name = new URL(database.url).pathname.slice(1)
  const pools = () => [openControl(database.url, () => undefined), openDb(database.url, { name: 'test' })]
  const opened = pools()
  let leadership: Leadership | null = null
  try {
    await opened[0]!.query(`alter database ${name} set synchronous_commit = off`)
    opened.push(...pools())
    leadership = await becomeLeader(database.url, new AbortController().signal)
    const shown = await Promise.all([
      ...opened.slice(2).map((pool) => pool.query('show synchronous_commit')),
      leadership!.within(1_000, (client) => client.query('show synchronous_commit')),
    ])
    expect(shown.map(({ rows }) => rows[0].synchronous_commit)).toEqual(['on', 'on', 'on'])
  } finally {
    await leadership?.resign()
    await Promise.all(opened.map((pool) => pool.end()))
    await database.drop()
  }
})

it('rule 23: a mover that is stopped inside a transaction keeps no row of the control database', async () => {
  const database = await createTestDatabase()
  const pool = openControl(database.url, () => undefined)
  try {
    await pool.query('create table contexts (token int); insert into contexts values (1)')
    const stopped = await pool.connect()
    const ended = new Promise<Error>((resolve) => stopped.on('error', resolve))
    await stopped.query('begin; update contexts set token = 2')
    await pool.query("set statement_timeout = '10s'; update contexts set token = 3")
    expect(await ended).toMatchObject({ code: '25P03' })
    stopped.release(true)
  } finally {
    await pool.end()
    await database.drop()
  }
})
