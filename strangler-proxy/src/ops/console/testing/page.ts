import { expect, onTestFinished } from 'vitest'
import { findChromium, startChromium } from '../../../../../tests/support/chromium.ts'
import { SECRETS, type TestConsole } from './console.ts'

export type Browser = Awaited<ReturnType<typeof startChromium>>
export type Page = Awaited<ReturnType<Browser['newPage']>>

const found = findChromium()
/** Why there is no browser here, or null. */
export const missing = 'missing' in found ? found.missing : null
export const named = (what: string) => (missing ? `${what} (skipped: ${missing})` : what)

/** Only where none is missing; the caller closes it. */
export function startBrowser(): Promise<Browser> {
  if ('missing' in found) throw new Error(found.missing)
  return startChromium(found)
}

/** A page that nobody is logged in at; it ends with the test, which its scripts must have gone through without an error. */
export async function openDoor(
  house: TestConsole,
  browser: Browser,
  how: Parameters<Browser['newPage']>[0] = {},
): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 960 }, ...how })
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  onTestFinished(async () => {
    await page.close()
    expect(complaints).toEqual([])
  })
  page.setDefaultTimeout(20_000)
  await page.goto(`${house.url}/console/`)
  return page
}

export async function logInAt(page: Page, name: keyof typeof SECRETS): Promise<Page> {
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('Secret').fill(SECRETS[name])
  await page.keyboard.press('Enter')
  await rowAt(page).waitFor()
  return page
}

export const rowAt = (page: Page, context = 'goods') => page.getByRole('listitem', { name: context })
