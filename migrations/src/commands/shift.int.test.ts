import { Command } from 'commander'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { PHASES } from '../control/stored.ts'
import { cliEnvironment } from '../mover/testing/mover-process.ts'
import { createWorld, type World } from '../mover/testing/world.ts'
import { createCli } from './create-cli.ts'
import { addShadow } from './shadow.ts'
import { addShift } from './shift.ts'

let world: World
let cli: Awaited<ReturnType<typeof cliEnvironment>>
beforeAll(async () => {
  world = await createWorld({ rows: 1 })
  cli = await cliEnvironment(world)
})
afterAll(async () => {
  await cli.drop()
  await world.drop()
})

/** Runs a command in this very process. */
const run = async (...args: string[]) => {
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
  // Nobody listens there, and a dry run sends nothing.
  const env = { ...cli.env, UNLEASH_URL: 'http://127.0.0.1:9/api', UNLEASH_ADMIN_TOKEN: 'none' }
  const program = new Command()
  for (const add of [addShift, addShadow]) add(program, createCli({ env, who: 'test', out: stream, err: stream, exit }))
  await program.parseAsync(args, { from: 'user' })
  return { code, out }
}

it('shifts reads only in the phases in which a proxy splits them, and back in any', async () => {
  const codes: Record<string, number> = {}
  for (const phase of PHASES) {
    await world.db.control.query(`update banyan.contexts set phase = $1 where context = 'goods'`, [phase])
    codes[phase] = (await run('shift', 'goods', '50', '--dry-run')).code
    expect((await run('shift', 'goods', '0', '--dry-run')).code).toBe(0)
    if (phase === 'following') expect((await run('shift', 'goods', '50')).out).toContain('banyan verify goods')
    if (phase === 'switched')
      expect((await run('shift', 'goods', '50')).out).toContain('its service answers its reads as their owner')
  }
  const split = { ready: 0, switching: 0, aborting: 0 }
  expect(codes).toEqual({ idle: 2, prepared: 2, copying: 2, following: 2, switched: 2, completed: 2, ...split })
})

it.each([
  [['goods', '101'], 'the share to be a whole number from 0 to 100'],
  [['goods', '2.5'], 'the share to be a whole number from 0 to 100'],
  [['goods', 'half'], 'the share to be a whole number from 0 to 100'],
  [['nobody', '5'], 'nobody'],
])('refuses %j, and says why', async (args, why) => {
  await world.db.control.query(`update banyan.contexts set phase = 'ready' where context = 'goods'`)
  const { code, out } = await run('shift', ...args, '--dry-run')
  expect([code, out]).toEqual([2, expect.stringContaining(why)])
})

it('mirrors reads only in the phases in which a proxy compares them, and stops it in any', async () => {
  const codes: Record<string, number> = {}
  for (const phase of PHASES) {
    await world.db.control.query(`update banyan.contexts set phase = $1 where context = 'goods'`, [phase])
    codes[phase] = (await run('shadow', 'goods', '--share', '50', '--dry-run')).code
    expect((await run('shadow', 'goods', '--share', '0', '--dry-run')).code).toBe(0)
    if (phase === 'following')
      expect((await run('shadow', 'goods', '--share', '50')).out).toContain('banyan verify goods')
  }
  const compared = { ready: 0, switched: 0 }
  const not = { idle: 2, prepared: 2, copying: 2, following: 2, switching: 2, aborting: 2, completed: 2 }
  expect(codes).toEqual({ ...not, ...compared })
  const { rows } = await world.db.control.query(`select from banyan.audit where what = 'shadow'`)
  expect(rows).toEqual([])
})
