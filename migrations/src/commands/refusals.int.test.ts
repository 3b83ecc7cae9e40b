import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { cliEnvironment } from '../mover/testing/mover-process.ts'
import { createWorld, type World } from '../mover/testing/world.ts'
import { addAbort } from './abort.ts'
import { addAudit } from './audit.ts'
import { addComplete } from './complete.ts'
import { addDoctor } from './doctor.ts'
import { addInit } from './init.ts'
import { addPlan } from './plan.ts'
import { addPrepare } from './prepare.ts'
import { addRun } from './run.ts'
import { addSaga } from './saga.ts'
import { addShadow } from './shadow.ts'
import { addShift } from './shift.ts'
import { addStatus } from './status.ts'
import { addSwitch } from './switch.ts'
import { runHere } from './testing/run-here.ts'
import { addVerify } from './verify.ts'

const COMMANDS = [
  ...[addInit, addDoctor, addPlan, addStatus, addPrepare, addVerify, addShadow, addShift],
  ...[addSwitch, addAbort, addComplete, addRun, addSaga, addAudit],
]
let world: World
let cli: Awaited<ReturnType<typeof cliEnvironment>>
const empty = mkdtempSync(join(tmpdir(), 'banyan-no-plans-'))
beforeAll(async () => {
  world = await createWorld({ rows: 1 })
  cli = await cliEnvironment(world)
})
afterAll(async () => {
  rmdirSync(empty)
  await cli.drop()
  await world.drop()
})

const everything = async () => {
  const { rows } = await world.db.control.query(
    `select (select json_agg(c) from banyan.contexts c) as contexts, (select count(*) from banyan.intents) as intents,
       (select count(*) from banyan.audit) as audit`,
  )
  return rows[0]
}
const expectRefused = async (args: string[], why: string, env: Record<string, string> = {}) => {
  const before = await everything()
  const { code, out, err } = await runHere(COMMANDS, { ...cli.env, ...env }, ...args)
  expect([code, out, err]).toEqual([2, '', expect.stringContaining(why)])
  expect(await everything()).toEqual(before)
}

it.each([
  ...[['status'], ['audit'], ['abort']].map((verb) => [[...verb, 'nobody'], 'does not know "nobody"; it knows: goods']),
  ...[['plan'], ['doctor'], ['prepare'], ['verify'], ['switch'], ['shift', '--auto', '5,100'], ['shadow']].map(
    (verb) => [[...verb, 'nobody'], 'no plan describes "nobody"; '],
  ),
  [['saga', 'list', 'nobody'], 'no plan describes "nobody"; '],
  [['status', ''], 'does not know ""; it knows: goods'],
  [['plan', ''], 'no plan describes ""; '],
  [['audit', '--limit', '-1'], '--limit to be a whole number from 1 on; it is "-1"'],
  [['verify', 'goods', '--timeout', '-5'], '--timeout to be a number of seconds above 0; it is "-5"'],
  [['abort', 'goods', '--timeout', 'soon'], '--timeout to be a number of seconds above 0; it is "soon"'],
  [['complete', 'goods', '--quiet', '-1'], '--quiet to be a whole number from 0 on; it is "-1"'],
  [['switch', 'goods', '--without-parity', 'no'], '--without-parity to say why'],
  [['shadow', 'goods', '--share', '-5'], 'the share to be a whole number from 0 to 100; it is "-5"'],
  [['shift', 'goods', '5', '--kill-switch'], '--auto with --kill-switch'],
  [['shift', 'goods', '5', '--interval', '10'], '--auto with --interval'],
  [['shift', 'goods', '5', '--samples', '10'], '--auto with --samples'],
  [['saga', 'list', 'goods', '--status', 'DONE'], 'NEEDS_ATTENTION; it is "DONE"'],
] as [string[], string][])('refuses %j, says what it saw and changes nothing', (args, why) => expectRefused(args, why))

it.each([[['init']], [['plan']], [['run']], [['prepare', 'goods']]])(
  'refuses %j where there are no plans to be read',
  (args) => expectRefused(args, 'there is no /no/such/folder', { BANYAN_PLANS: '/no/such/folder' }),
)

it.each([[['plan']], [['run']]])('refuses %j where there is no plan among what it reads', (args) =>
  expectRefused(args, `${empty} (BANYAN_PLANS) has none`, { BANYAN_PLANS: empty }),
)

it('what the doctor has found is shown where the broker cannot be reached, too', async () => {
  const { code, out } = await runHere(COMMANDS, { ...cli.env, AMQP_URL: 'amqp://127.0.0.1:1' }, 'doctor', 'goods')
  expect([code, out]).toEqual([2, expect.stringMatching(/ok {2}columns: .*!! {2}broker: .*Remedy: /s)])
})
