import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ROOT } from '../../compose/embedded/stack.ts'
import { findChromium, startChromium } from '../support/chromium.ts'
import { makeReady, rowOf } from './support/moves.ts'
import { type System, startSystem } from './support/system.ts'
import { until } from './support/wait.ts'

const found = findChromium()
const missing = 'missing' in found ? found.missing : null
const named = (what: string) => (missing ? `${what} (skipped: ${missing})` : what)
/** Writes the pictures of the README; otherwise the tree stays as it is. */
const PICTURES = process.env.CONSOLE_PICTURES === '1' ? join(ROOT, 'docs/images') : null

let system: System
let browser: Browser
let page: Page
let shoppers: { stop(): Promise<void> }
/** What the page's own policy, or its scripts, had against it. */
const complaints: string[] = []

beforeAll(async () => {
  if (missing !== null || 'missing' in found) return
  system = await startSystem('console')
  await makeReady(system)
  shoppers = letShoppersIn(system.stack.env.PROXY_URL ?? '')
  browser = await startChromium(found)
  page = await browser.newPage({ viewport: { width: 1280, height: 960 } })
  page.setDefaultTimeout(30_000)
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (line) => {
    if (line.type() === 'error' && !line.text().includes('Failed to load resource')) complaints.push(line.text())
  })
})
afterAll(async () => {
  await browser?.close()
  await shoppers?.stop()
  await system?.stop()
})

const row = () => page.getByRole('listitem', { name: 'inventory' })
const shareSays = (what: string) => row().getByText(what, { exact: true }).waitFor()

it.skipIf(missing)(named('an operator logs in, and not with a wrong secret'), async () => {
  const { CONSOLE_URL = '', CONSOLE_NAME = '', CONSOLE_SECRET = '' } = system.stack.env
  await page.goto(CONSOLE_URL)
  const logIn = async (secret: string) => {
    await page.getByLabel('Name').fill(CONSOLE_NAME)
    await page.getByLabel('Secret').fill(secret)
    await page.getByRole('button', { name: 'Log in' }).click()
  }
  await logIn('not the secret')
  await page.getByText('Name or secret is wrong.').waitFor()
  await until('the wait after a wrong login', 20_000, async () => {
    await logIn(CONSOLE_SECRET)
    return await page
      .getByText(`${CONSOLE_NAME}, operator`)
      .waitFor({ timeout: 2_000 })
      .then(() => true)
  })
  await row().getByText('ready', { exact: true }).waitFor()
  await row().getByText('rows verified').waitFor()
  await page.getByText('mover runs').waitFor()
})

it.skipIf(missing)(named('shifts reads by the keyboard alone, and sees what is set in Unleash itself'), async () => {
  const slider = row().getByRole('slider')
  await slider.focus()
  for (let presses = 0; presses < 25; presses += 1) await page.keyboard.press('ArrowRight')
  await page.keyboard.press('Tab')
  expect(await page.evaluate('document.activeElement?.textContent')).toBe('Set 25 %')
  expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
  await page.keyboard.press('Enter')
  await until('the proxy to follow', 10_000, async () => (await routedShare()) === 25)
  await shareSays('25 % at the service')
  await setInUnleash(60)
  await shareSays('60 % at the service')
  await page.locator('#news').getByText('inventory: 60 percent of reads').waitFor({ state: 'attached' })
  const line = page.locator('#audit tr').filter({ hasText: 'inventory-reads 25 → inventory-reads 60' })
  await line.getByText('unleash', { exact: true }).waitFor()
  await setInUnleash(25)
  await shareSays('25 % at the service')
})

it.skipIf(missing)(named('sees what the guard of a climb says of both sides'), async () => {
  const sides = {
    service: { reads: 40, failed: 1, p99Ms: 12 },
    monolith: { reads: 1_200, failed: 0, p99Ms: 8 },
  }
  await system.control.query(
    `insert into banyan.watches (context, who, share, decision, because, sides)
     values ('inventory', 'bob', 25, 'pause', 'the service has had 40 of 100 reads', $1)`,
    [sides],
  )
  await row().getByText('guard at 25 %: goes no further').waitFor()
  for (const figures of [
    'the service has had 40 of 100 reads',
    'service 40 reads, 2.5 % failed, p99 ≤ 12 ms',
    'monolith 1,200 reads, 0.0 % failed, p99 ≤ 8.0 ms',
  ])
    await row().getByText(figures).waitFor()
})

it.skipIf(missing)(named('is told what a refused switch waits for'), async () => {
  await row().getByRole('button', { name: 'Switch…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Switch inventory' }).click()
  await dialog.getByText('Say why, in a few words.').waitFor()
  await dialog.getByLabel('Reason').fill('the quiet hour of the morning')
  await dialog.getByRole('button', { name: 'Switch inventory' }).click()
  await row().getByText('switch refused').waitFor()
  await row().getByText('it waits for a passing parity run').waitFor()
  expect((await rowOf(system)).owner).toBe('monolith')
  await takePictures()
})

it.skipIf(missing)(named('switches, pulls the kill switch and releases it, and rolls back'), async () => {
  await answerDialog('Switch…', 'Switch inventory', 'shown to be alike elsewhere', true)
  await row().getByText('switched', { exact: true }).waitFor()
  expect((await rowOf(system)).owner).toBe('service')
  await row().getByText('service', { exact: true }).waitFor()
  await shareSays('all at the service; 25 % after a rollback')

  await row().getByRole('button', { name: 'Kill switch of inventory: off, pull it' }).click()
  await row().getByRole('button', { name: 'Kill switch of inventory: on, release it' }).waitFor()
  expect(await reads()).toBe('owner')
  await answerDialog('Kill switch of inventory: on, release it', 'Release it', 'all is well again')
  await row().getByRole('button', { name: 'Kill switch of inventory: off, pull it' }).waitFor()
  expect(await reads()).toBe('flag')

  await answerDialog('Roll back…', 'Roll inventory back', 'the drill of the month')
  await row().getByText('ready', { exact: true }).waitFor()
  await row().getByText('monolith', { exact: true }).waitFor()
  expect((await rowOf(system)).owner).toBe('monolith')
})

it.skipIf(missing)(named('finds all of that in the audit, and logs out'), async () => {
  // The mover's last word on an intent comes a moment after what it was about.
  await page.locator('#audit tr').filter({ hasText: 'rollback (asked by console)' }).first().waitFor()
  const lines = await page.locator('#audit tr').allInnerTexts()
  const name = system.stack.env.CONSOLE_NAME ?? ''
  for (const [what, result, why] of [
    ['login', 'done', ''],
    ['shift', 'done', 'inventory-reads 25'],
    ['switch (asked by console)', 'refused', 'the quiet hour of the morning'],
    ['switch without parity', 'accepted', 'shown to be alike elsewhere'],
    ['switch (asked by console)', 'done', 'shown to be alike elsewhere'],
    ['reads', 'done', 'pulled at the console'],
    ['reads', 'done', 'all is well again'],
    ['rollback (asked by console)', 'done', 'the drill of the month'],
  ] as const) {
    const all = [name, what, result, why]
    expect(
      lines.filter((line) => all.every((part) => line.includes(part))),
      all.join(' | '),
    ).not.toEqual([])
  }
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.getByRole('button', { name: 'Log in' }).waitFor()
  expect(complaints).toEqual([])
})

it.skipIf(missing)(named('fits on a phone'), async () => {
  const { CONSOLE_URL = '', CONSOLE_NAME = '', CONSOLE_SECRET = '' } = system.stack.env
  const phone = await browser.newPage({ viewport: { width: 390, height: 844 }, colorScheme: 'dark' })
  await phone.goto(CONSOLE_URL)
  await phone.getByLabel('Name').fill(CONSOLE_NAME)
  await phone.getByLabel('Secret').fill(CONSOLE_SECRET)
  await phone.keyboard.press('Enter')
  await phone.getByRole('listitem', { name: 'inventory' }).getByRole('slider').waitFor()
  expect(await phone.evaluate('document.documentElement.scrollWidth')).toBe(390)
  if (PICTURES) await phone.screenshot({ path: join(PICTURES, 'console-phone.png') })
  await phone.close()
})

async function answerDialog(open: string, action: string, why: string, withoutParity = false): Promise<void> {
  await row().getByRole('button', { name: open }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Reason').fill(why)
  if (withoutParity) await dialog.getByRole('checkbox').check()
  await dialog.getByRole('button', { name: action }).click()
  await dialog.waitFor({ state: 'hidden' })
}

async function takePictures(): Promise<void> {
  if (PICTURES === null) return
  mkdirSync(PICTURES, { recursive: true })
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    // Colours glide from one scheme to the other; a picture half way has buttons that nobody can read.
    await page.screenshot({ path: join(PICTURES, `console-${colorScheme}.png`), animations: 'disabled' })
  }
  await page.emulateMedia({ colorScheme: 'light' })
}

async function reads(): Promise<string> {
  const { rows } = await system.control.query("select reads from banyan.contexts where context = 'inventory'")
  return rows[0].reads
}

async function routedShare(): Promise<number | null> {
  const { OPS_URL, OPS_TOKEN } = system.stack.env
  const answer = await fetch(`${OPS_URL}/routing`, { headers: { authorization: `Bearer ${OPS_TOKEN}` } })
  const { contexts } = (await answer.json()) as { contexts: { context: string; flag: { share: number | null } }[] }
  return contexts.find((one) => one.context === 'inventory')?.flag.share ?? null
}

/** What Unleash's own page sends. */
async function setInUnleash(percent: number): Promise<void> {
  const { UNLEASH_URL, UNLEASH_ADMIN_TOKEN = '' } = system.stack.env
  const environment = `${UNLEASH_URL}/admin/projects/default/features/inventory-reads/environments/development`
  const headers = { authorization: UNLEASH_ADMIN_TOKEN, 'content-type': 'application/json' }
  const { strategies } = (await (await fetch(environment, { headers })).json()) as {
    strategies: { id: string; parameters: Record<string, string> }[]
  }
  const [{ id, parameters }] = strategies as [(typeof strategies)[number]]
  const change = [{ op: 'replace', path: '/parameters', value: { ...parameters, rollout: String(percent) } }]
  const init = { method: 'PATCH', headers, body: JSON.stringify(change) }
  expect((await fetch(`${environment}/strategies/${id}`, init)).status).toBe(200)
}

/** A few readers at the door, so that there is something to see. */
function letShoppersIn(url: string): { stop(): Promise<void> } {
  let over = false
  const readers = Array.from({ length: 4 }, async () => {
    while (!over) {
      await fetch(`${url}/api/products?size=5`)
        .then((answer) => answer.text())
        .catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, 40 + Math.random() * 80))
    }
  })
  return {
    async stop() {
      over = true
      await Promise.all(readers)
    },
  }
}
