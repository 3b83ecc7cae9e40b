import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkCapture } from './capture.ts'
import { createLane, type LaneFixture } from './testing/lane-fixture.ts'

let it: LaneFixture
beforeAll(async () => {
  it = await createLane({
    ddl: 'create table items (id int primary key, name text, at timestamptz)',
    tables: ['items'],
  })
})
afterAll(() => it.drop())

/** What the mover finds at the closed side after somebody's mischief, which is undone. */
async function faultsAfter(mischief: string): Promise<string[]> {
  const session = await it.targetAdmin.connect()
  try {
    await session.query(`begin; ${mischief}`)
    await session.query(`set local search_path = pg_catalog, pg_temp;
      set local session authorization ${it.moverRole}`)
    return await checkCapture(it.back, session)
  } finally {
    session.release(true)
  }
}

test('what prepare has made is whole on both sides, open or closed', async () => {
  expect(await Promise.all([checkCapture(it.lane), checkCapture(it.back), faultsAfter('')])).toEqual([[], [], []])
})

const CAPTURE_FUNCTION = 'banyan."capture public.items"()'
const notTheMover = () =>
  `current_setting('banyan.applying', true) is distinct from 'on' or session_user <> '${it.moverRole}'`
const replaced = (name: string, event: string, when: string, call: string) => `
  create or replace trigger "${name}" ${event} on items for each row ${when} execute function ${call};
  alter table items enable always trigger "${name}"`
const CALL = `banyan."capture public.items"('shop', '1')`

test.each<[string, () => string, string]>([
  [
    'captures some of the events only',
    () => replaced('!banyan_capture', 'after insert', `when (${notTheMover()})`, CALL),
    'the capture trigger is not the one that prepare makes',
  ],
  [
    'captures before the row is written',
    () => replaced('!banyan_capture', 'before insert or update or delete', `when (${notTheMover()})`, CALL),
    'the capture trigger is not the one that prepare makes',
  ],
  [
    'captures under a condition of its own',
    () => replaced('!banyan_capture', 'after insert or update or delete', 'when (false)', CALL),
    'the capture trigger is not the one that prepare makes',
  ],
  [
    "captures the mover's writes too",
    () => replaced('!banyan_capture', 'after insert or update or delete', '', CALL),
    'the capture trigger is not the one that prepare makes',
  ],
  [
    'captures changes of some columns only',
    () => replaced('!banyan_capture', 'after insert or update of name or delete', `when (${notTheMover()})`, CALL),
    'the capture trigger is not the one that prepare makes',
  ],
  [
    'captures for another context',
    () => replaced('!banyan_capture', 'after insert or update or delete', '', CALL.replace('shop', 'other')),
    'the capture trigger is of another context or move',
  ],
  [
    'calls a function of another schema',
    () => `alter function ${CAPTURE_FUNCTION} set schema public`,
    'the capture function is not the one that this table needs now',
  ],
  [
    'calls a function of another name',
    () => `alter function ${CAPTURE_FUNCTION} rename to "capture"`,
    'the capture function is not the one that this table needs now',
  ],
  [
    'writes dates in another order',
    () => `alter function ${CAPTURE_FUNCTION} set datestyle to 'German'`,
    'the capture function lost its settings',
  ],
  [
    'writes times of another zone',
    () => `alter function ${CAPTURE_FUNCTION} set timezone to 'Asia/Tokyo'`,
    'the capture function lost its settings',
  ],
  [
    'writes texts as the writer would',
    () => `alter function ${CAPTURE_FUNCTION} reset datestyle`,
    'the capture function lost its settings',
  ],
  [
    'has a setting more',
    () => `alter function ${CAPTURE_FUNCTION} set session_replication_role to 'replica'`,
    'the capture function lost its settings',
  ],
  [
    'runs with the rights of the writer',
    () => `alter function ${CAPTURE_FUNCTION} security invoker`,
    'the capture function does not run with the rights that prepare gives it',
  ],
  [
    'runs with the rights of somebody else',
    () => `alter function ${CAPTURE_FUNCTION} owner to current_user`,
    'the capture function does not run with the rights that prepare gives it',
  ],
  [
    'rejects some of the events only',
    () => replaced('!!banyan_fence', 'after insert', `when (${notTheMover()})`, `banyan.reject_write('shop')`),
    'the "!!banyan_fence" trigger is not the one that prepare makes',
  ],
  [
    'rejects nothing',
    () => `create or replace function banyan.reject_write() returns trigger language plpgsql security definer
      set search_path = pg_catalog, pg_temp as $$ begin return null; end $$`,
    'the "!!banyan_fence" function is not the one that this table needs now',
  ],
  [
    'is no fence any more',
    () => 'alter table items disable trigger "!!banyan_fence"',
    'the trigger "!!banyan_fence" is not ENABLE ALWAYS',
  ],
  [
    'lets a TRUNCATE by',
    () => `create or replace function banyan.refuse_truncate() returns trigger language plpgsql
      set search_path = pg_catalog, pg_temp as $$ begin return null; end $$`,
    'the "!banyan_truncate" function is not the one that this table needs now',
  ],
])('rule 18: a trigger of ours that, under its own name, %s is a fault', async (_, mischief, fault) => {
  expect(await faultsAfter(mischief())).toEqual([expect.stringContaining(fault)])
})
