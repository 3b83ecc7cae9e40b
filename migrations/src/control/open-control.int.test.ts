import { expect, it } from 'vitest'
import { createTestDatabase } from '../../../tests/support/infra.ts'
import { openControl } from './open-control.ts'

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
