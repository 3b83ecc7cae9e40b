import { armFailPoints } from '@banyan/kit/service'
import type { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { stallable } from '../../../kit/ownership/testing/stallable.ts'
import { askAbort } from '../control/intents.ts'
import { someoneLeads } from '../control/leader.ts'
import { createWorld, until, type World } from './testing/world.ts'

/** What the mover may wait for while somebody else's lock stays: its budget, a few tries, and a busy machine. */
const ENDS_MS = 20_000

let world: World
let cable: Awaited<ReturnType<typeof stallable>>
beforeAll(async () => {
  world = await createWorld({ rows: 50 })
  cable = await stallable(world.urls.goods)
  const urls = { shop: world.urls.shop, goods: cable.url }
  world.start({ budgetMs: 3_000, databaseUrl: (name) => urls[name as keyof typeof urls] })
  await world.makeReady()
})
afterEach(() => armFailPoints('').disarm())
afterAll(async () => {
  await world.drop()
  await cable.close()
})

/** @param token the attempt's, which names it */
type Work = (token: bigint) => Promise<void>

/** Comes to the point of a switch, takes a lock there as somebody else, and goes on; the lock stays through `work`. */
async function whileLocked(point: string, pool: Pool, lock: string, work: Work, first?: () => Promise<void>) {
  const armed = armFailPoints(`mover.switch.${point}=once:hang`)
  const intent = await world.comeTo(`mover.switch.${point}`, armed)
  const { token } = await world.stored()
  const other = await pool.connect()
  try {
    await other.query(`begin; ${lock}`)
    await first?.()
    armed.release(`mover.switch.${point}`)
    await work(token)
  } finally {
    await other.query('rollback')
    other.release()
  }
  await askAbort(world.db.control, 'goods', 'enough was seen')
  await world.endOf(intent, ENDS_MS)
}

async function moverWaits(pool: Pool, name: string): Promise<boolean> {
  const { rows } = await pool.query(
    `select from pg_stat_activity where datname = current_database() and application_name = $1
       and wait_event_type = 'Lock'`,
    [name],
  )
  return rows.length > 0
}

/** The attempt is called off, what was held is released, and the source takes writes. */
async function calledOff(token: bigint): Promise<string> {
  const attempt = await until('the attempt to be called off', ENDS_MS, async () => {
    const { rows } = await world.db.control.query(
      "select reason from banyan.attempts where context = 'goods' and token = $1 and result is not null",
      [String(token)],
    )
    return rows[0] ?? null
  })
  await world.db.shop.query('update products set price = price + 1 where id = 2')
  return attempt.reason
}

/** Looks until the target is open. @returns each time that requests were released before */
async function heldUntilOpen(): Promise<string[]> {
  const early: string[] = []
  await until('the target to open', ENDS_MS, async () => {
    const { hold, step } = await world.stored()
    const { rows } = await world.db.goods.query("select closed from banyan.fence where context = 'goods'")
    if (rows[0].closed && !hold) early.push(`released at ${step}`)
    return !rows[0].closed
  })
  return early
}

it("a table of the target that somebody keeps locked costs a switch its budget, not the shop's writes", async () => {
  const lock = 'lock table products in access exclusive mode'
  await whileLocked('before-sequences', world.db.goods, lock, async (token) => {
    expect(await calledOff(token)).toContain('outlasted the budget')
  })
})

it('a batch that waits for a locked row does not keep the abort from its fence', async () => {
  const change = async () => void (await world.db.shop.query('update products set price = price + 1 where id = 1'))
  await change()
  await until('the change to arrive', ENDS_MS, async () => {
    const { rows } = await world.db.goods.query(`select from banyan.row_version where key = '["1"]'`)
    return rows.length > 0
  })
  const lock = `select from banyan.row_version where key = '["1"]' for update`
  const work: Work = async (token) => expect(await calledOff(token)).toContain('outlasted the budget')
  await whileLocked('before-fence', world.db.goods, lock, work, change)
})

it('a beat that waits for a locked row does not keep the abort from opening the source', async () => {
  const lock = 'select from banyan.canary for update'
  const work: Work = async (token) => expect(await calledOff(token)).toContain('changed my mind')
  await whileLocked('after-fence', world.db.shop, lock, work, async () => {
    await until('a beat to wait', ENDS_MS, () => moverWaits(world.db.shop, 'banyan mover'))
    await askAbort(world.db.control, 'goods', 'changed my mind')
  })
})

it('rule 22: what is held is not released before the source is open again', async () => {
  const lock = "select from banyan.fence where context = 'goods' for share"
  const work: Work = async () => {
    await until('the abort to wait for the source', ENDS_MS, async () => {
      const { step } = await world.stored()
      return step === 'unfence-source' && (await moverWaits(world.db.shop, 'banyan mover'))
    })
    expect(await world.stored()).toMatchObject({ phase: 'aborting', hold: true })
  }
  await whileLocked('after-fence', world.db.shop, lock, work, async () => {
    await askAbort(world.db.control, 'goods', 'changed my mind')
  })
})

it('an owner commit that waits for a locked row ends with its budget, and the lead is kept', async () => {
  const { term } = await world.stored()
  const lock = `select from banyan.contexts where context = 'goods' for update`
  await whileLocked('before-owner-commit', world.db.control, lock, async () => {
    const waits = () => moverWaits(world.db.control, 'banyan mover (leader)')
    await until('the commit to wait', ENDS_MS, waits)
    await until('the commit to wait no longer', ENDS_MS, async () => !(await waits()))
    expect(await someoneLeads(world.db.control)).toBe(true)
  })
  expect(await world.stored()).toMatchObject({ owner: 'monolith', term, phase: 'ready', hold: false })
})

it('a sequence without room calls the switch off at once, and is named', async () => {
  const { rows } = await world.db.goods.query('select last_value + 500 as most from products_id_seq')
  await world.db.goods.query(`alter sequence products_id_seq maxvalue ${rows[0].most}`)
  const because = await until('the switch to fail', 60_000, async () => {
    const { state, result } = await world.ask('switch')
    return state === 'failed' && result?.because
  })
  expect(because).toMatch(/after 1 attempt\(s\): sequence "?public"?\."?products_id_seq"? has no room/)
  await world.db.goods.query('alter sequence products_id_seq no maxvalue')
})

it('past the point of no return, a target whose connections have gone silent is opened over others', async () => {
  const armed = armFailPoints('mover.switch.before-unfence=once:hang')
  const intent = await world.comeTo('mover.switch.before-unfence', armed)
  cable.freeze()
  armed.release('mover.switch.before-unfence')
  // Rule 21: until then, whoever is held would only meet the target's fence.
  const early = await heldUntilOpen()
  expect(await world.endOf(intent, ENDS_MS)).toMatchObject({ state: 'done' })
  expect(early).toEqual([])
  await world.db.goods.query('update products set price = price + 1 where id = 1')
})
