import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest'
import { until } from '../../../test-support/raw.ts'
import { ownershipOf } from '../../../test-support/start-proxy.ts'
import { SECRETS, startConsole, type TestConsole } from './testing/console.ts'
import { type Browser, logInAt, missing, named, openDoor, type Page, rowAt, startBrowser } from './testing/page.ts'
import { SAMPLE, WELL } from './testing/sources.ts'
import { createTraffic } from './traffic.ts'

// What the page makes of what it is told, in a real browser; with all processes behind it, it is driven in
// tests/system/console.system.test.ts.

const traffic = createTraffic()
let house: TestConsole
let browser: Browser

beforeAll(async () => {
  if (missing !== null) return
  house = await startConsole({ traffic })
  browser = await startBrowser()
})
beforeEach(async () => {
  if (missing !== null) return
  house.known.set('goods', ownershipOf('goods', { phase: 'ready' }))
  Object.assign(house.seen, WELL)
  await house.control.query(`update banyan.contexts set phase = 'ready', reads = 'flag'`)
})
afterAll(async () => {
  await browser?.close()
  await house?.close()
})

const open = async (name: keyof typeof SECRETS = 'ann', how: Parameters<Browser['newPage']>[0] = {}) =>
  logInAt(await openDoor(house, browser, how), name)
const row = rowAt
const sees = (page: Page, what: string | RegExp) => row(page).getByText(what, { exact: true }).waitFor()
const inFocus = (page: Page) =>
  page.evaluate('document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent')

it.skipIf(missing)(
  named('shows the copy with its time left, the lag, the verification, and what is in the way'),
  async () => {
    const page = await open()
    const look = async (seen: object) => {
      await house.control.query(
        `insert into banyan.sightings (context, seen) values ('goods', $1)
       on conflict (context) do update set seen = excluded.seen`,
        [seen],
      )
      house.hint()
    }
    const copy = { done: 250, total: 1_000, etaSeconds: 75, finished: false, waitsFor: null }
    house.known.set('goods', ownershipOf('goods', { phase: 'copying' }))
    await house.control.query(
      `update banyan.contexts set phase = 'copying', heartbeat_applied = clock_timestamp() - interval '7 s'`,
    )
    await look({ copy })
    await sees(page, 'copying')
    await sees(page, '250 of 1,000 rows, 25 %, about 75 s left')
    expect(await row(page).getByRole('progressbar', { name: 'rows copied' }).getAttribute('value')).toBe('0.25')
    expect(await page.evaluate('Array.from(document.querySelectorAll(".track i"), (one) => one.className)')).toEqual([
      ...['past', 'past', 'here', '', '', '', ''],
    ])
    await sees(page, /^lag \d+(\.\d)? s$/)
    await look({ copy: { ...copy, etaSeconds: null, waitsFor: 'the lag to fall' }, blocked: 'public.goods [7]' })
    await sees(page, '250 of 1,000 rows, 25 %, time left unknown; stands still, waits for the lag to fall')
    await row(page).getByText('a change is blocked public.goods [7]').waitFor()
    await look({ copy: { ...copy, done: 1_000, finished: true } })
    await sees(page, '1,000 rows copied')
    house.known.set('goods', ownershipOf('goods', { phase: 'ready' }))
    const verified = async (different: number) => {
      await house.control.query(
        `insert into banyan.verifications (context, move, rows_compared, different, seconds) values ('goods', 0, 1000, $1, 1)`,
        [different],
      )
      house.hint()
    }
    await verified(3)
    await sees(page, /^3 of 1,000 rows differ, .* ago$/)
    await verified(0)
    await sees(page, /^1,000 rows verified .* ago$/)
  },
)

it.skipIf(missing)(named('says how fresh all of that is, and what is out of the ordinary'), async () => {
  const page = await open()
  const says = (facts: string[]) =>
    until(facts.join(', '), async () => {
      house.hint()
      return (await page.locator('#facts li').allInnerTexts()).join() === facts.join()
    })
  await says(['ownership fresh', 'lease held', 'flags fresh', 'no mover runs'])
  Object.assign(house.seen, { staleMs: 2_000, flagsError: 'Unleash is away', held: 3, recording: true })
  await says(['ownership fresh', 'lease held', 'flags not fresh', 'no mover runs', '3 requests held', 'recording'])
  Object.assign(house.seen, WELL, { staleMs: 2_001, leaseValid: false })
  await says(['ownership 2.0 s old', 'lease lost', 'flags fresh', 'no mover runs'])
  house.seen.staleMs = Number.POSITIVE_INFINITY
  await says(['ownership unknown', 'lease lost', 'flags fresh', 'no mover runs'])
})

it.skipIf(missing)(named('says what is asked for, by whom, what it waits for, and how it ended'), async () => {
  const page = await open()
  const note = (text: string) => row(page).locator('.notes').getByText(text).waitFor()
  await house.control.query(
    `insert into banyan.intents (context, verb, source, who) values ('goods', 'switch', 'flag', 'bob')`,
  )
  house.hint()
  await note('switch, asked for by bob (flag)')
  await note('waits for a mover: none is running')
  expect(await row(page).getByRole('button', { name: 'Switch…' }).isDisabled()).toBe(true)
  await house.control.query(
    `update banyan.intents set state = 'refused', settled_at = now(),
       result = jsonb_build_object('because', 'a clean verification') where state = 'pending'`,
  )
  house.hint()
  await note('switch refused')
  await note('it waits for a clean verification')
  expect(await row(page).getByRole('button', { name: 'Switch…' }).isDisabled()).toBe(false)
  await page
    .locator('#news')
    .getByText('goods: switch was refused, a clean verification')
    .waitFor({ state: 'attached' })
  await house.control.query(`update banyan.intents set settled_at = now() - interval '11 min'`)
  house.hint()
  await row(page).getByText('switch refused').waitFor({ state: 'detached' })
})

it.skipIf(missing)(named('shows a flag of the writes that is at odds with who owns them'), async () => {
  const page = await open()
  house.seen.share = 100
  house.hint('flags')
  await row(page).getByText('the flag goods-writes is at 100 %').waitFor()
  house.known.set('goods', ownershipOf('goods', { phase: 'switched', owner: 'service' }))
  house.hint()
  await row(page).getByText('the flag goods-writes is at 100 %').waitFor({ state: 'detached' })
})

it.skipIf(missing)(named('has no share set before there is anything to share'), async () => {
  const page = await open()
  const slider = row(page).getByRole('slider')
  const looks = async (phase: 'ready' | 'copying' | 'switched', share: number | null, says: string) => {
    house.known.set('goods', ownershipOf('goods', { phase, owner: phase === 'switched' ? 'service' : 'monolith' }))
    house.seen.share = share
    house.hint()
    await sees(page, says)
    return [await slider.isEnabled(), await slider.getAttribute('title')]
  }
  const canBe = [true, '']
  const waits = 'A share waits for goods to be ready.'
  expect(await looks('ready', 30, '30 % at the service')).toEqual(canBe)
  expect(await looks('copying', 0, '0 % at the service')).toEqual([false, waits])
  // The way back is open in any phase.
  expect(await looks('copying', 7, '7 % at the service')).toEqual(canBe)
  expect(await looks('ready', null, 'no single share')).toEqual(canBe)
  expect(await looks('switched', 0, 'all at the service; 0 % after a rollback')).toEqual([
    ...[false, 'The service answers all reads of goods as their owner.'],
  ])
})

it.skipIf(missing)(named('asks for the login again when its session is over, and shows nothing more'), async () => {
  const page = await open()
  const [cookie] = (await page.context().cookies()).filter(({ name }) => name === 'banyan-console')
  await house.logOut({ cookie: `${cookie!.name}=${cookie!.value}` })
  await page.getByLabel('Secret').waitFor()
  expect(await row(page).isVisible()).toBe(false)
  // The browser is known at the login: what others guess in between does not keep its operator out.
  const sent = page.waitForRequest('**/console/login')
  await page.getByLabel('Name').fill('ann')
  await page.getByLabel('Secret').fill(SECRETS.ann)
  await page.keyboard.press('Enter')
  expect((await (await sent).allHeaders()).cookie).toMatch(/(^|; )banyan-console-browser=\d+-[\w-]{22}\.[\w-]{43}(;|$)/)
  await row(page).waitFor()
})

it.skipIf(missing)(named('shows each instance with its health, and who announces itself unasked'), async () => {
  await house.control.query(
    // Of them no time is too long ago, however slowly the page comes up.
    `insert into banyan.instances (service, id, url, build, heartbeat_at)
     select 'goods-service', id, url, build, clock_timestamp() + interval '1 h'
     from (values ('1', 'http://one', 'goods+0123456789abcdef'), ('4', 'http://four', null)) as of (id, url, build)`,
  )
  const page = await open()
  await page.locator('#instances').getByText('http://four').waitFor()
  const lines = (await page.locator('#instances tr').allInnerTexts()).map((line) => line.split('\t'))
  expect(lines.map(([state, process, address, , build]) => [state, process, address, build])).toEqual([
    ['answers', 'goods-service', 'http://one', '0123456789ab'],
    ['put aside after failures', 'goods', 'http://two', '–'],
    ['fails its checks', 'goods', 'http://three', '–'],
    ['is asked nothing by this proxy', 'goods-service', 'http://four', '–'],
  ])
})

it.skipIf(missing)(named('draws rate, errors and latencies of both sides, second by second'), async () => {
  const timer = setInterval(() => {
    traffic.note('monolith', 200, 12)
    traffic.note('service', 503, 40)
  }, 20)
  onTestFinished(() => clearInterval(timer))
  const page = await open()
  const figures = async (title: string) => {
    const chart = page.locator('figure.chart').filter({ hasText: title })
    const drawn = await Promise.all(
      ['monolith', 'service'].map((side) => chart.locator(`path.${side}`).getAttribute('d')),
    )
    const told = await chart.locator('.legend b').allInnerTexts()
    return drawn.every((path) => path?.includes('M')) ? told.map((text) => Number.parseInt(text, 10)) : []
  }
  for (const [title, holds] of [
    ['Requests a second', (monolith: number, service: number) => monolith > 0 && service > 0],
    ['Errors (5xx) a second', (monolith: number, service: number) => monolith === 0 && service > 0],
    ['Latency, p50', (monolith: number, service: number) => monolith >= 12 && monolith < 20 && service >= 40],
    ['Latency, p99', (monolith: number, service: number) => monolith >= 12 && monolith < 20 && service >= 40],
  ] as const)
    await until(
      title,
      async () => {
        const [monolith = Number.NaN, service = Number.NaN] = await figures(title)
        return holds(monolith, service)
      },
      20_000,
    )
  // The monolith has no errors: its line lies on the ground, and the service's rises above it.
  const errors = page.locator('figure.chart').filter({ hasText: 'Errors (5xx) a second' })
  const heights = async (side: string) => {
    const drawn = (await errors.locator(`path.${side}`).getAttribute('d')) ?? ''
    return [...new Set([...drawn.matchAll(/[ML][\d.]+ ([\d.]+)/g)].map(([, y]) => Number(y)))]
  }
  expect(await heights('monolith')).toEqual([63])
  expect(Math.min(...(await heights('service')))).toBeLessThan(63)
})

it.skipIf(missing)(named('shows a mismatch with both answers side by side, and goes on while it is read'), async () => {
  const page = await open()
  const samples = page.locator('#mirror-samples details')
  await samples.locator('summary').focus()
  await page.keyboard.press('Enter')
  const [owner, other] = [page.getByLabel('answer of the monolith'), page.getByLabel('answer of the service')]
  expect([await owner.textContent(), await other.textContent()]).toEqual([
    JSON.stringify(SAMPLE.answers.owner, null, 2),
    JSON.stringify(SAMPLE.answers.other, null, 2),
  ])
  const [left, right] = [await owner.boundingBox(), await other.boundingBox()]
  expect(left!.y).toBe(right!.y)
  expect(left!.x + left!.width).toBeLessThanOrEqual(right!.x)
  expect(await samples.getByText('curl').textContent()).toContain('/mirror/replay')
  // The proxy lets go of the one that is read, and finds another.
  Object.assign(house.mirrored, { mismatched: 2, samples: [{ ...SAMPLE, id: 'two', url: '/api/goods/2' }] })
  house.hint()
  await samples.getByText('GET /api/goods/2').waitFor()
  expect(await samples.count()).toBe(2)
  expect(await page.evaluate('document.activeElement.parentElement.open')).toBe(true)
  await page.keyboard.press('Enter')
  Object.assign(house.mirrored, { mismatched: 3, samples: [SAMPLE] })
  house.hint()
  await samples.getByText('GET /api/goods/2').waitFor({ state: 'detached' })
  expect(await samples.count()).toBe(1)
})

it.skipIf(missing)(
  named('is used by the keyboard alone: the kill switch is pulled, and released with a reason'),
  async () => {
    const page = await open()
    const reach = async (label: string) => {
      for (let presses = 0; (await inFocus(page)) !== label; presses += 1) {
        if (presses === 40) throw new Error(`no way to "${label}" by the keyboard`)
        await page.keyboard.press('Tab')
      }
    }
    const [off, on] = ['Kill switch of goods: off, pull it', 'Kill switch of goods: on, release it']
    await reach(off)
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
    await page.keyboard.press('Enter')
    await until('it is pulled', async () => (await house.reads()) === 'owner')
    house.known.set('goods', ownershipOf('goods', { phase: 'ready', reads: 'owner' }))
    house.hint()
    await row(page).getByRole('button', { name: on }).waitFor()
    // It is the same button: who pulled it is still there.
    expect(await inFocus(page)).toBe(on)
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    await page.keyboard.type('never mind')
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    expect([await inFocus(page), await house.reads()]).toEqual([on, 'owner'])
    await page.keyboard.press('Enter')
    await page.keyboard.type('all is well again')
    await reach('Release it')
    await page.keyboard.press('Enter')
    await until('it is released', async () => (await house.reads()) === 'flag')
    expect(await house.auditOf('reads')).toMatchObject({ who: 'ann', why: 'all is well again' })
  },
)

it.skipIf(missing)(named('lets a viewer see, and change nothing'), async () => {
  const page = await open('vic')
  const controls = row(page).locator('button, input')
  expect(await controls.count()).toBeGreaterThanOrEqual(3)
  for (const one of await controls.all()) if (await one.isVisible()) expect(await one.isDisabled()).toBe(true)
})

it.skipIf(missing)(named('fits on a small phone, and is dark where the reader’s system is'), async () => {
  const schemes: number[][] = []
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await open('vic', { viewport: { width: 360, height: 640 }, colorScheme })
    await page.locator('#mirror-samples summary').click()
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
    const both = 'getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color'
    const numbers = String(await page.evaluate(both))
      .match(/\d+/g)!
      .map(Number)
    schemes.push([numbers.slice(0, 3), numbers.slice(3)].map((rgb) => rgb.reduce((sum, one) => sum + one, 0)))
  }
  const [[paper = 0, ink = 0] = [], [night = 0, chalk = 0] = []] = schemes
  expect([paper > ink + 450, chalk > night + 450]).toEqual([true, true])
})
