import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'

const SHIFT_MS = 400 * 86_400_000
/** What a process that has the file loaded ahead says. */
const said = (script: string) =>
  JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '--eval', `console.log(JSON.stringify(${script}))`], {
      env: {
        NODE_OPTIONS: `--import=${new URL('shifted-date.ts', import.meta.url).href}`,
        CLOCK_SHIFT_MS: String(SHIFT_MS),
        TZ: 'UTC',
      },
      encoding: 'utf8',
    }),
  )

it('moves the time that is read, and no time that is given', () => {
  const before = Date.now()
  const { now, made, text, ...rest } = said(`{
    now: Date.now(), made: new Date().getTime(), text: Date(),
    given: new Date(0).toISOString(), utc: Date.UTC(2020, 0), parsed: Date.parse('2020-01-01T00:00:00Z'),
    is: new Date() instanceof Date && new Date().constructor === Date && structuredClone(new Date(5)) instanceof Date,
    span: performance.now() < 60_000, sub: new (class extends Date {})(7).getTime(),
  }`)
  expect(rest).toEqual({
    ...{ given: '1970-01-01T00:00:00.000Z', utc: 1_577_836_800_000, parsed: 1_577_836_800_000 },
    ...{ is: true, span: true, sub: 7 },
  })
  for (const at of [now, made, Date.parse(text) + 1_000]) {
    expect(at).toBeGreaterThanOrEqual(before + SHIFT_MS)
    expect(at).toBeLessThan(before + SHIFT_MS + 60_000)
  }
})
