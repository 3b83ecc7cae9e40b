import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RecordedShop, startRecordedShop } from './recorded-shop.ts'
import { type Asked, recordedTraffic } from './recorded-traffic.ts'
import { parity, readReport } from './run-parity.ts'

const folder = mkdtempSync(join(tmpdir(), 'banyan-recorded-'))
let shop: RecordedShop
let asked: Asked
let recording: string

beforeAll(async () => {
  shop = await startRecordedShop(join(folder, 'recordings'))
  await shop.start()
  asked = await recordedTraffic(shop.url, shop.admin)
  recording = await shop.stop(asked.requests)
})
afterAll(async () => {
  await shop?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Which of the secrets stand in a text, so that a failure names the place and not the text. */
const found = (text: string) => asked.secrets.filter((secret) => text.includes(secret))
const replay = async (name: string, ...options: string[]) => {
  const to = join(folder, name)
  const { code, said } = await parity(to, 'inventory', '--recording', recording, ...options)
  const files = readdirSync(to).map((file) => readFileSync(join(to, file), 'utf8'))
  return { code, said, report: readReport(to), files: [said, ...files].join('\n') }
}

describe('real traffic that a proxy recorded', () => {
  it('holds none of the secrets that were sent, answered or stored; neither do the logs', () => {
    const text = readFileSync(recording, 'utf8')
    expect(text.trim().split('\n')).toHaveLength(asked.requests + 1)
    expect(found(text)).toEqual([])
    expect(found(shop.logs())).toEqual([])
    // What makes the sequence is there.
    expect(text).toContain('"REC-1"')
  })

  it('finds the sides alike, with the ids of each, and its reports hold no secret either', async () => {
    const alike = await replay('alike')
    expect(alike.report).toMatchObject({ verdict: 'alike', differences: [], doubtful: [] })
    expect(alike.code, alike.said).toBe(0)
    // All but the requests of other contexts, and every one as it had been answered, so the ids were right.
    expect(alike.report.recorded.asked).toBe(asked.requests - 4)
    expect(alike.report.recorded.same).toBe(alike.report.recorded.asked)
    expect(found(alike.files)).toEqual([])
    expect(alike.files).not.toMatch(/eyJ[\w-]+\.|"d":"|Bearer /)
  }, 240_000)
})
