import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@banyan/kit/service'
import { expect, it, onTestFinished } from 'vitest'
import { until } from '../../test-support/raw.ts'
import type { Sample } from './sample.ts'
import { createSamples } from './samples.ts'

const logger = createLogger({ name: 'samples under test', level: 'silent' })
const sampleOf = (url: string, change: Partial<Sample> = {}): Sample => ({
  ...{ at: '2026-01-01T00:00:00Z', context: 'goods', route: 'GET /api/goods', method: 'GET', url, headers: {} },
  ...{ signedIn: false, owner: 'monolith', answers: { owner: {}, other: {} } },
  differences: [{ path: '$.body.price', kind: 'value', left: 1, right: 2 }],
  ...change,
})

it('keeps five that differ alike, so that they push out no other, and a hundred in all: the latest', () => {
  const samples = createSamples({ folder: undefined, logger })
  samples.add(sampleOf('/first', { route: 'GET /first' }))
  for (let at = 0; at < 20; at += 1) samples.add(sampleOf(`/${at}`))
  expect(samples.list().map(({ url }) => url)).toEqual(['/19', '/18', '/17', '/16', '/15', '/first'])
  for (let at = 0; at < 99; at += 1) samples.add(sampleOf(`/other/${at}`, { route: `GET /other/${at}` }))
  const urls = samples.list().map(({ url }) => url)
  expect([urls.length, urls[0], urls.at(-1)]).toEqual([100, '/other/98', '/19'])
})

it('has a file for each that is kept, which its owner alone may read, and none for those that went', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'banyan-samples-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const samples = createSamples({ folder, logger })
  for (let at = 0; at < 7; at += 1) samples.add(sampleOf(`/${at}`))
  const kept = samples.list().map(({ id }) => `${id}.json`)
  await until(
    'the files are those that are kept',
    () => readdirSync(folder).sort().join() === kept.sort().join(),
    20_000,
  )
  expect(kept).toHaveLength(5)
  for (const file of kept) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600)
})
