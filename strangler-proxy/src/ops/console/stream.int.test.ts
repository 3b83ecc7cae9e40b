import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { codeOf, startConsole, type TestConsole } from './testing/console.ts'
import { SAMPLE } from './testing/sources.ts'

let house: TestConsole
beforeAll(async () => {
  house = await startConsole()
})
afterAll(() => house.close())

describe('the stream', () => {
  it('shows what the mover waits for, and how it ended; it ends with its session', async () => {
    const ann = await house.sessionOf('ann')
    const stream = await house.open(ann)
    expect((await stream.next('history')).traffic).toBeInstanceOf(Array)
    await stream.state(({ contexts }) =>
      expect(contexts).toMatchObject([{ context: 'goods', phase: 'ready', intent: null }]),
    )
    await house.control.query(`insert into banyan.intents (context, verb, source, who, waits_for)
      values ('goods', 'switch', 'cli', 'bob', 'a clean verification')`)
    house.hint()
    await stream.state(({ contexts }) =>
      expect(contexts).toMatchObject([{ intent: { who: 'bob', waitsFor: 'a clean verification' } }]),
    )
    const because = 'a clean verification: banyan verify'
    await house.control.query(
      `update banyan.intents set state = 'refused', settled_at = now(), result = jsonb_build_object('because', $1::text)
       where state = 'pending'`,
      [because],
    )
    await stream.state(({ contexts }) =>
      expect(contexts).toMatchObject([{ intent: null, last: { state: 'refused', because } }]),
    )
    await house.logOut(ann)
    await stream.ended
  })

  it('tells a viewer as well which instances are asked, and why others are not', async () => {
    const vic = await house.sessionOf('vic')
    const stream = await house.open(vic)
    expect((await stream.next('state')).upstreams).toMatchObject([
      {
        ...{ side: 'service', context: 'goods', up: true },
        instances: [{ state: 'answers' }, { state: 'put aside after failures' }, { state: 'fails its checks' }],
      },
    ])
    await house.logOut(vic)
    await stream.ended
  })

  it('tells what mirrored reads showed, and beside it what differed', async () => {
    const ann = await house.sessionOf('ann')
    const stream = await house.open(ann)
    expect((await stream.next('state')).mirror).toMatchObject([{ context: 'goods', mirrored: 7, mismatched: 1 }])
    const samples = () => fetch(`${house.url}/console/mirror/samples`, { headers: { cookie: ann.cookie } })
    expect(await (await samples()).json()).toMatchObject({
      samples: [{ ...SAMPLE, replay: expect.stringContaining('curl') }],
    })
    await house.logOut(ann)
    await stream.ended
    expect((await samples()).status).toBe(401)
  })

  it('says that the control database does not let it see, and goes on', async () => {
    await house.control.query(`revoke execute on function banyan.console_state() from ${house.role}`)
    const ann = await house.sessionOf('ann')
    const stream = await house.open(ann)
    await stream.state(({ control: said, contexts }) => {
      expect(said).toMatchObject({ error: expect.stringContaining('banyan init') })
      expect(contexts).toMatchObject([{ context: 'goods', phase: 'ready' }])
    })
    await house.control.query(`grant execute on function banyan.console_state() to ${house.role}`)
    await house.logOut(ann)
    await stream.ended
  })

  it('is one of at most so many of a name, and all end when the proxy stops', async () => {
    const [ann, vic] = [await house.sessionOf('ann'), await house.sessionOf('vic')]
    const streams = await Promise.all(Array.from({ length: 20 }, () => house.open(ann)))
    expect(await codeOf(await fetch(`${house.url}/console/events`, { headers: { cookie: ann.cookie } }))).toEqual([
      503,
      'too-many-pages',
    ])
    streams.push(await house.open(vic))
    house.ops.close()
    await Promise.all(streams.map((one) => one.ended))
  })
})
