import { mkdirSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { patternOf } from '@banyan/kit/parity/answers'
import type { Logger } from '@banyan/kit/service'
import type { Sample } from './sample.ts'

export type Kept = Sample & { readonly id: string }

export interface Samples {
  add(sample: Sample): void
  /** The latest first; of one context, or of all. */
  list(context?: string): readonly Kept[]
}

const AT_MOST = 100
/** Of mismatches at the same places of a route: one that happens all the time must not push out the others. */
const ALIKE_AT_MOST = 5

/**
 * The latest mismatches, in memory, and in a folder where one is given: there a sample is a file that its owner alone
 * may read, and goes when the sample goes.
 */
export function createSamples(options: { readonly folder: string | undefined; readonly logger: Logger }): Samples {
  const { folder, logger } = options
  const kept: Kept[] = []
  const run = Date.now().toString(36)
  let count = 0
  let writing = Promise.resolve()
  const onDisk = (work: (folder: string) => Promise<void>) => {
    if (folder === undefined) return
    writing = writing.then(() => work(folder)).catch((err) => logger.warn({ err }, 'a mismatch was not kept on disk'))
  }
  const remove = (at: number) => {
    const [gone] = kept.splice(at, 1)
    if (gone) onDisk((into) => rm(join(into, `${gone.id}.json`), { force: true }))
  }
  return {
    add(sample) {
      const id = `${run}-${++count}`
      const made = { id, ...sample }
      const alike = kept.filter((one) => kindOf(one) === kindOf(made))
      if (alike.length >= ALIKE_AT_MOST) remove(kept.indexOf(alike[0]!))
      else if (kept.length >= AT_MOST) remove(0)
      kept.push(made)
      onDisk(async (into) => {
        mkdirSync(into, { recursive: true, mode: 0o700 })
        await writeFile(join(into, `${id}.json`), JSON.stringify(made, null, 2), { mode: 0o600, flag: 'wx' })
      })
    },
    list: (context) => kept.filter((one) => context === undefined || one.context === context).reverse(),
  }
}

function kindOf({ context, route, differences }: Sample): string {
  return [context, route, ...new Set(differences.map(({ path, kind }) => `${patternOf(path)} ${kind}`))].join('\n')
}
