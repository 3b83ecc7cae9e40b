/** A real Chromium for tests that look at a page: an installed one, or Debian's, installed as RabbitMQ is. */
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'
import { installPackages } from '../../compose/embedded/debian-packages.ts'

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

export type Chromium = { readonly path: string; readonly args: string[] }

/** @returns its program, and how it must be started; or why there is none */
export function findChromium(): Chromium | { readonly missing: string } {
  const path = installed() ?? afterInstalling()
  if (path === undefined) return { missing: 'no Chromium is installed, and apt-get could not install one' }
  // Chromium's sandbox refuses root; what is shown here is our own page alone.
  return { path, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] }
}

/** The caller closes it. */
export function startChromium({ path, args }: Chromium): Promise<Browser> {
  return chromium.launch({ executablePath: path, args })
}

function installed(): string | undefined {
  const given = process.env.CHROMIUM
  return [...(given ? [given] : []), ...PLACES].find((path) => existsSync(path))
}

function afterInstalling(): string | undefined {
  installPackages(['chromium'], (line) => console.error(`tests: ${line}`))
  return installed()
}
