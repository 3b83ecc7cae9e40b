import { expect, it } from 'vitest'
import { createWorld } from '../mover/testing/world.ts'
import { attemptUnderWay, beginAttempt, noteTrouble } from './attempts.ts'

it("rule 16: what troubles a mover that was overruled does not call its successor's attempt off", async () => {
  const world = await createWorld({ rows: 1 })
  const { control } = world.db
  try {
    await beginAttempt(control, 'goods', 1n, 'to-service', null)
    await beginAttempt(control, 'goods', 2n, 'to-service', null)
    await noteTrouble(control, { context: 'goods', token: 1n }, 'no lock', true)
    expect(await attemptUnderWay(control, 'goods')).toMatchObject({ token: 2n, trouble: null })
    await noteTrouble(control, { context: 'goods', token: 2n }, 'drift', false)
    await noteTrouble(control, { context: 'goods', token: 2n }, 'no lock', true)
    expect(await attemptUnderWay(control, 'goods')).toMatchObject({ trouble: { reason: 'drift', again: false } })
  } finally {
    await world.drop()
  }
})
