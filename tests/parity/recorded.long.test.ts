import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { mutant } from '../../compose/parity/mutant.ts'
import { MUTATIONS } from '../../compose/parity/mutation-list.ts'
import { startRecordedShop } from './recorded-shop.ts'
import { recordedTraffic } from './recorded-traffic.ts'
import { parity, readReport } from './run-parity.ts'

const folder = mkdtempSync(join(tmpdir(), 'banyan-recorded-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('a recording that is replayed three times asks the same and is judged the same, and notices a broken service', async () => {
  const shop = await startRecordedShop(join(folder, 'recordings'))
  await shop.start()
  const { requests, secrets } = await recordedTraffic(shop.url, shop.admin)
  const recording = await shop.stop(requests)
  await shop.close()
  const seen = []
  for (const time of ['1', '2', '3']) {
    const { code } = await parity(join(folder, time), 'inventory', '--recording', recording)
    const { verdict, asked, compared } = readReport(join(folder, time))
    seen.push({ code, verdict, asked, compared })
  }
  const broken = mutant(MUTATIONS.find(({ what }) => what === 'one unit too few after an adjustment')!, 900)
  const last = join(folder, 'broken')
  const service = ['--service-file', join(broken, 'src/main.ts')]
  const logs = join(folder, 'logs')
  const { code, said } = await parity(last, 'inventory', '--recording', recording, '--logs', logs, ...service)
  const written = [last, logs].flatMap((from) => readdirSync(from).map((file) => join(from, file)))
  const files = [said, ...[recording, ...written].map((file) => readFileSync(file, 'utf8'))].join('\n')
  rmSync(broken, { recursive: true })
  expect(code, said).toBe(1)
  expect(readReport(last).asked).toBe(seen[0]!.asked)
  expect(written).toContain(join(logs, 'inventory-service.log'))
  expect(secrets.filter((secret) => files.includes(secret))).toEqual([])
  expect(seen).toEqual([seen[0], seen[0], seen[0]])
  expect(seen[0]).toMatchObject({ code: 0, verdict: 'alike' })
}, 600_000)
