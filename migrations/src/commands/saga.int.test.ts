import { fromPg, type Sql } from '@banyan/kit/ownership'
import {
  createSagaRunner,
  createSagaStore,
  createVirtualClock,
  defineSaga,
  installSagas,
  SagaRefusal,
  sketchOf,
} from '@banyan/kit/saga'
import { Command } from 'commander'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { inTransaction } from '../control/transaction.ts'
import { cliEnvironment } from '../mover/testing/mover-process.ts'
import { createWorld, PLAN, type World } from '../mover/testing/world.ts'
import { createCli } from './create-cli.ts'
import { addSaga } from './saga.ts'

const plan = `${PLAN.replace('[products, stock]', '[products, stock, sagas]')}saga-tables: [sagas]\n`
const clock = createVirtualClock(Date.now() - 3_600_000)
let world: World
let cli: Awaited<ReturnType<typeof cliEnvironment>>
/** Whether the callee of the compensation is well again. */
let well = false
let turns = 0

beforeAll(async () => {
  world = await createWorld({ rows: 1, plan })
  cli = await cliEnvironment(world, plan)
  await installSagas(fromPg(world.db.shop))
  await installSagas(fromPg(world.db.goods))
  await storeOn('shop').publish([sketchOf(send)])
  await storeOn('goods').publish([sketchOf(send)])
})
afterAll(async () => {
  await cli.drop()
  await world.drop()
})
beforeEach(() => {
  well = false
})

const send = defineSaga<Sql>({
  name: 'send',
  deadlineMs: 1_000,
  undoAttempts: 2,
  steps: [
    {
      name: 'pack',
      do: { local: async () => undefined },
      undo: {
        remote: async () => {
          if (!well) throw new Error('no answer')
        },
      },
    },
    { name: 'post', do: { remote: async () => Promise.reject(new SagaRefusal('no-stamp', 'no stamp')) } },
  ],
})
const storeOn = (side: 'shop' | 'goods') =>
  createSagaStore<Sql>({ transaction: (work) => inTransaction(world.db[side], (client) => work(fromPg(client))) })
const runnerOn = (side: 'shop' | 'goods') =>
  createSagaRunner<Sql>({
    store: storeOn(side),
    sagas: [send],
    logger: { error: () => undefined },
    clock,
  })

/** A saga whose compensation keeps failing, on one of the sides. */
const stuck = async (side: 'shop' | 'goods' = 'shop') => {
  const id = `send-${++turns}`
  const runner = runnerOn(side)
  const standing = await inTransaction(world.db[side], (client) =>
    runner.start(fromPg(client), { saga: 'send', id, data: { token: 'tok_secret' } }),
  )
  expect(await runner.follow(standing, 20_000)).toMatchObject({ status: 'NEEDS_ATTENTION' })
  return id
}
/** Runs `banyan saga …` in this very process. */
const saga = async (...args: string[]) => {
  let out = ''
  let code = 0
  const stream = {
    write(text: string) {
      out += text
    },
  }
  const exit = (given: number) => {
    code = given
  }
  const program = new Command()
  addSaga(program, createCli({ env: cli.env, who: 'test', out: stream, err: stream, exit }))
  await program.parseAsync(['saga', ...args], { from: 'user' })
  return { code, out, json: args.includes('--json') ? JSON.parse(out) : undefined }
}

it('lists, shows and draws sagas from the database alone, and says nothing of what they remember', async () => {
  const id = await stuck()
  const listed = await saga('list', 'goods', '--status', 'NEEDS_ATTENTION', '--json')
  expect(listed.json.map((one: { id: string }) => one.id)).toContain(id)
  expect((await saga('list', 'goods', '--saga', 'other', '--json')).json).toEqual([])

  const shown = await saga('show', 'goods', id)
  expect(shown.out).toContain(`${id}  send  NEEDS_ATTENTION`)
  expect(shown.out).toMatch(/^ {2}pack: undoing, undone in 2$/m)
  expect(shown.out).toMatch(/^\d{4}-.*Z started$/m)
  expect(shown.out).toMatch(/pack undo failed \(2 times\) no answer$/m)
  const json = (await saga('show', 'goods', id, '--json')).json
  expect(json).toMatchObject({ id, status: 'NEEDS_ATTENTION', steps: [{ name: 'pack' }, { name: 'post' }] })
  expect(shown.out + JSON.stringify([json, listed.json])).not.toContain('tok_secret')

  const drawn = await saga('diagram', 'goods', 'send')
  expect(drawn.out).toContain('post --> undo_pack: refused, late or cancelled')
})

it('puts a stuck saga back to work, with a line in the audit', async () => {
  const id = await stuck()
  const before = await world.db.shop.query('select * from sagas where id = $1', [id])
  const dry = await saga('retry', 'goods', id, '--dry-run', '--json')
  expect(dry.json.steps[0]).toContain("set status = 'COMPENSATING'")
  expect((await world.db.shop.query('select * from sagas where id = $1', [id])).rows).toEqual(before.rows)

  expect(await saga('retry', 'goods', id, '--why', 'the post is back', '--json')).toMatchObject({
    code: 0,
    json: { id, status: 'COMPENSATING' },
  })
  well = true
  clock.advance(7_200_000)
  await runnerOn('shop').resumeDue()
  expect((await saga('show', 'goods', id, '--json')).json.status).toBe('COMPENSATED')
  const { rows } = await world.db.control.query("select why, new from banyan.audit where what = 'saga retry'")
  expect(rows).toEqual([{ why: 'the post is back', new: { id, status: 'COMPENSATING' } }])
  expect(await saga('retry', 'goods', id, '--json')).toMatchObject({ code: 2, json: { state: 'refused' } })
})

it('looks at the side that owns the context, and writes nothing while nobody does', async () => {
  const at = await stuck('goods')
  expect((await saga('show', 'goods', at)).code).toBe(2)
  await world.db.control.query("update banyan.contexts set owner = 'service' where context = 'goods'")
  expect((await saga('show', 'goods', at, '--json')).json).toMatchObject({ id: at })
  // The control row says service already; the service's database is not open yet.
  const refused = await saga('retry', 'goods', at, '--json')
  expect(refused).toMatchObject({ code: 2, json: { waitsFor: expect.stringContaining('to be settled') } })
  expect((await saga('show', 'goods', at, '--json')).json.status).toBe('NEEDS_ATTENTION')
  await world.db.goods.query("update banyan.owner set owner = 'service', term = term + 1")
  expect((await saga('retry', 'goods', at)).code).toBe(0)
})

it.each([
  ['show', 'nope', 'a saga nope'],
  ['diagram', 'nope', 'a saga named nope'],
  ['list', '--status=DONE', '--status to be one of'],
])('saga %s %s is refused and says why', async (verb, argument, why) => {
  const refused = await saga(verb, 'goods', argument, '--json')
  expect(refused.code).toBe(2)
  expect(refused.json.waitsFor).toContain(why)
})
