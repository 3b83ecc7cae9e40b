import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Session, startConsole, type TestConsole } from './testing/console.ts'

let house: TestConsole
let viewer: Session
beforeAll(async () => {
  house = await startConsole()
  viewer = await house.sessionOf('vic')
  await house.auditSays('login', 'done')
})
afterAll(() => house.close())

type Line = { id: number; who: string; what: string }
const ask = (query = '') => fetch(`${house.url}/console/audit${query}`, { headers: { cookie: viewer.cookie } })

it('is read a hundred lines at a time, the newest first, and on from where it was', async () => {
  await house.control.query(
    `insert into banyan.audit (who, what, result) select 'bob', 'step ' || n, 'done' from generate_series(1, 150) n`,
  )
  const first = (await (await ask()).json()) as Line[]
  expect(first.map(({ what }) => what)).toEqual(Array.from({ length: 100 }, (_, at) => `step ${150 - at}`))
  const rest = (await (await ask(`?before=${first.at(-1)!.id}`)).json()) as Line[]
  expect(rest.map(({ what }) => what)).toEqual([...Array.from({ length: 50 }, (_, at) => `step ${50 - at}`), 'login'])
  expect(rest.at(-1)).toMatchObject({ who: 'vic', why: expect.stringMatching(/^from .*127\.0\.0\.1$/), result: 'done' })
  expect((await ask('?before=yesterday')).status).toBe(422)
})

it('can be added to and not changed, be it by the owner of the database', async () => {
  for (const change of ["update banyan.audit set who = 'nobody'", 'delete from banyan.audit', 'truncate banyan.audit'])
    await expect(house.control.query(change), change).rejects.toThrow('append-only')
})
