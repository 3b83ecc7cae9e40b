import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest'
import { ownershipOf } from '../../../test-support/start-proxy.ts'
import { startConsole, type TestConsole } from './testing/console.ts'
import { type Browser, logInAt, missing, named, openDoor, type Page, rowAt, startBrowser } from './testing/page.ts'
import { WELL } from './testing/sources.ts'

// What an operator does at the page, what it sends for that, and what it tells of a refusal. What it shows without being
// asked is seen in page.int.test.ts.

let house: TestConsole
let browser: Browser
beforeAll(async () => {
  if (missing !== null) return
  house = await startConsole()
  browser = await startBrowser()
})
beforeEach(async () => {
  if (missing !== null) return
  house.known.set('goods', ownershipOf('goods', { phase: 'ready' }))
  Object.assign(house.seen, WELL)
  Object.assign(house.unleash, { fails: false, shares: [] })
  await house.control.query(`update banyan.contexts set phase = 'ready', reads = 'flag'`)
  await house.control.query(`update banyan.intents set state = 'done', settled_at = now() where state = 'pending'`)
})
afterAll(async () => {
  await browser?.close()
  await house?.close()
})

const open = async (name: 'ann' | 'vic' = 'ann') => logInAt(await openDoor(house, browser), name)
const told = (page: Page, what: string) => page.locator('#told.bad').getByText(what).waitFor()
const pending = async () => {
  const { rows } = await house.control.query(`select verb, who, args from banyan.intents where state = 'pending'`)
  return rows
}
/** Opens the dialog, and answers it. */
async function answer(page: Page, button: string, why: string, action: string) {
  await rowAt(page).getByRole('button', { name: button }).click()
  await page.getByRole('dialog').getByLabel('Reason').fill(why)
  await page.getByRole('dialog').getByRole('button', { name: action, exact: true }).click()
}
const closed = (page: Page) => page.getByRole('dialog').waitFor({ state: 'hidden' })

it.skipIf(missing)(named('tells why a login was refused, and has the secret typed again'), async () => {
  const page = await openDoor(house, browser)
  await page.route('**/login', (route) => route.fulfill({ status: 401, json: { detail: 'Name or secret is wrong.' } }))
  await page.getByLabel('Name').fill('ann')
  await page.getByLabel('Secret').fill('not the secret')
  await page.keyboard.press('Enter')
  await page.getByText('Name or secret is wrong.').waitFor()
  expect(await page.getByLabel('Secret').inputValue()).toBe('')
})

it.skipIf(missing)(
  named('sends the share that was chosen, none that was cancelled, and tells why it was refused'),
  async () => {
    const page = await open()
    const slider = rowAt(page).getByRole('slider')
    const choose = async (presses: number) => {
      await slider.focus()
      for (let pressed = 0; pressed < presses; pressed += 1) await page.keyboard.press('ArrowRight')
    }
    const button = (name: string) => rowAt(page).getByRole('button', { name, exact: true })
    await choose(3)
    await button('Cancel').click()
    await button('Cancel').waitFor({ state: 'hidden' })
    expect(await slider.inputValue()).toBe('5')
    house.unleash.fails = true
    await choose(4)
    await button('Set 9 %').click()
    await told(page, 'Unleash did not take the share')
    await rowAt(page).getByText('5 % at the service', { exact: true }).waitFor()
    house.unleash.fails = false
    await choose(2)
    await button('Set 7 %').click()
    await page.locator('#told').getByText('goods: 7 % of the reads go to the service').waitFor()
    expect(house.unleash.shares).toEqual([['goods-reads', 7]])
  },
)

it.skipIf(missing)(
  named('asks for a switch with a reason, and for nothing without one or when cancelled'),
  async () => {
    const page = await open()
    const dialog = page.getByRole('dialog')
    await answer(page, 'Switch…', 'ok', 'Switch goods')
    await dialog.getByText('Say why, in a few words.', { exact: true }).waitFor()
    await dialog.getByLabel('Reason').fill('a quiet hour')
    await dialog.getByRole('button', { name: 'Switch goods' }).click()
    await dialog.getByText('No mover is running').waitFor()
    await leading()
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await closed(page)
    expect(await pending()).toEqual([])
    // What was typed for something else is not kept.
    await rowAt(page).getByRole('button', { name: 'Switch…' }).click()
    expect(await dialog.getByLabel('Reason').inputValue()).toBe('')
    await page.keyboard.press('Escape')
    await answer(page, 'Switch…', 'a quiet hour', 'Switch goods')
    await closed(page)
    expect(await pending()).toEqual([{ verb: 'switch', who: 'ann', args: {} }])
  },
)

it.skipIf(missing)(
  named('does without a parity run only where that is ticked, and never rolls back with it'),
  async () => {
    const page = await open()
    await leading()
    await rowAt(page).getByRole('button', { name: 'Switch…' }).click()
    await page.getByRole('dialog').getByRole('checkbox').check()
    await page.keyboard.press('Escape')
    await rowAt(page).getByRole('button', { name: 'Switch…' }).click()
    expect(await page.getByRole('dialog').getByRole('checkbox').isChecked()).toBe(false)
    await page.getByRole('dialog').getByRole('checkbox').check()
    await page.keyboard.press('Escape')
    house.known.set('goods', ownershipOf('goods', { phase: 'switched', owner: 'service' }))
    house.hint()
    await rowAt(page).getByRole('button', { name: 'Roll back…' }).click()
    expect(await page.getByRole('dialog').getByRole('checkbox').isVisible()).toBe(false)
    await page.keyboard.press('Escape')
    await answer(page, 'Roll back…', 'the drill', 'Roll goods back')
    await closed(page)
    expect(await pending()).toEqual([{ verb: 'rollback', who: 'ann', args: {} }])
  },
)

it.skipIf(missing)(named('calls off what is asked for, which a viewer is not offered'), async () => {
  await house.control.query(
    `insert into banyan.intents (context, verb, source, who) values ('goods', 'switch', 'cli', 'bob')`,
  )
  const viewer = await open('vic')
  await rowAt(viewer).getByText('switch, asked for by bob').waitFor()
  expect(await rowAt(viewer).getByRole('button', { name: 'Call off…' }).count()).toBe(0)
  const page = await open()
  await answer(page, 'Call off…', 'not tonight', 'Call it off')
  await closed(page)
  expect(await pending()).toEqual([])
  expect(await house.auditOf('abort')).toMatchObject({ who: 'ann', why: 'not tonight' })
  expect(await house.reads()).toBe('flag')
})

it.skipIf(missing)(named('tells that the kill switch was not pulled, and why'), async () => {
  const page = await open()
  const pull = () => rowAt(page).getByRole('button', { name: 'Kill switch of goods: off, pull it' }).click()
  const problem = { detail: 'The control database is away.' }
  await page.route('**/reads', (route) => route.fulfill({ status: 503, json: problem }))
  await pull()
  await told(page, problem.detail)
  await page.unroute('**/reads')
  await page.route('**/reads', (route) => route.abort())
  await pull()
  await told(page, 'The proxy does not answer.')
})

it.skipIf(missing)(named('says that what it shows is old when the proxy has gone silent'), async () => {
  const page = await open()
  expect(await page.locator('#stale').isVisible()).toBe(false)
  await page.route('**/events', (route) =>
    route.fulfill({ contentType: 'text/event-stream', body: 'retry: 60000\n\nevent: heartbeat\ndata: {}\n\n' }),
  )
  await page.reload()
  await page.getByText('The proxy has gone silent. What is shown is what was known last.').waitFor()
})

it.skipIf(missing)(named('draws each context in its own row'), async () => {
  house.known.set('wares', ownershipOf('wares', { phase: 'switched', owner: 'service' }))
  onTestFinished(() => void house.known.delete('wares'))
  const page = await open()
  for (const [context, phase, owner] of [
    ['goods', 'ready', 'monolith'],
    ['wares', 'switched', 'service'],
  ] as const) {
    await rowAt(page, context).getByText(phase, { exact: true }).waitFor()
    await rowAt(page, context).getByText(owner, { exact: true }).waitFor()
  }
})

it.skipIf(missing)(
  named('shows older lines of the audit below the newest, also while the database is away'),
  async () => {
    await house.control.query(
      `insert into banyan.audit (who, what, result) select 'bob', 'step ' || n, 'done' from generate_series(1, 120) n`,
    )
    const page = await open()
    const line = (what: string) => page.locator('#audit tr').filter({ has: page.getByText(what, { exact: true }) })
    await line('step 120').waitFor()
    expect(await line('step 1').count()).toBe(0)
    await page.getByRole('button', { name: 'Older lines' }).click()
    await line('step 1').waitFor()
    const all = async () => [await line('step 120').count(), await line('step 1').count()]
    expect(await all()).toEqual([1, 1])
    await house.control.query(`revoke execute on function banyan.console_state() from ${house.role}`)
    onTestFinished(async () => {
      await house.control.query(`grant execute on function banyan.console_state() to ${house.role}`)
    })
    house.hint()
    await page.locator('#facts').getByText('control database away').waitFor()
    expect(await all()).toEqual([1, 1])
  },
)

/** Holds the lead, as a mover does, until the test is over. */
async function leading(): Promise<void> {
  const client = await house.control.connect()
  onTestFinished(() => client.release(true))
  await client.query('select pg_advisory_lock(1650552441)')
}
