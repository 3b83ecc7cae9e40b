import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { until } from '../test-support/raw.ts'
import { type OpenComparer, openComparer } from './mirror/comparer-thread.ts'
import { openWriter } from './record/writer-thread.ts'

const logger = { warn: () => undefined } as unknown as Parameters<OpenComparer>[2]
/** By thread of this process, how much it gives way: 19 is the most. */
function niceness(): Map<string, number> {
  const threads = readdirSync('/proc/self/task').flatMap((tid): [string, number][] => {
    try {
      return [[tid, Number(readFileSync(`/proc/self/task/${tid}/stat`, 'utf8').split(') ')[1]!.split(' ')[16])]]
    } catch {
      // It has just ended.
      return []
    }
  })
  return new Map(threads)
}

it.runIf(process.platform === 'linux')('what compares and what records gives way to requests', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'banyan-spare-'))
  const before = niceness()
  const written = Promise.withResolvers<void>()
  const data = { file: join(folder, 'one.jsonl'), share: 1, at: '', personal: {}, claims: [], maxBytes: 1_000 }
  const writer = openWriter(data, { wrote: () => written.resolve(), broke: written.reject })
  const comparer = openComparer({ personal: {}, rules: [] }, { told: () => undefined, broke: () => undefined }, logger)
  comparer.tell({ id: 0, caughtUp: false })
  try {
    await until('two threads that give way', () => {
      return [...niceness()].filter(([tid, nice]) => !before.has(tid) && nice === 19).length === 2
    })
    for (const [tid, nice] of niceness()) if (before.has(tid)) expect(nice).toBe(before.get(tid))
  } finally {
    await Promise.all([writer.end(), comparer.close()])
    rmSync(folder, { recursive: true })
  }
})
