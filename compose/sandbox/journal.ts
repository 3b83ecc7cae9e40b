import { createReadStream } from 'node:fs'
import { mkdir, open, truncate } from 'node:fs/promises'
import { dirname } from 'node:path'

/** An append-only file of JSON lines that survives a kill: what `append` resolved for is on the disk. */
export type Journal<T> = {
  /** Resolves once the line is written and synced; lines asked for meanwhile share one sync. */
  append(entry: T): Promise<void>
  close(): Promise<void>
}

/**
 * Opens (or creates) the file, hands every whole line to `replay`, and cuts off a last line torn by a crash: it was
 * never acknowledged.
 */
export const openJournal = async <T>(path: string, replay: (entry: T) => void): Promise<Journal<T>> => {
  await mkdir(dirname(path), { recursive: true })
  const file = await open(path, 'a+')
  const whole = await readWhole<T>(path, replay)
  if ((await file.stat()).size > whole) await truncate(path, whole)

  let waiting: { line: string; done: () => void; fail: (error: unknown) => void }[] = []
  let writing: Promise<void> | undefined
  const flush = async () => {
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        await file.appendFile(batch.map((one) => one.line).join(''))
        await file.datasync()
        for (const one of batch) one.done()
      } catch (error) {
        for (const one of batch) one.fail(error)
      }
    }
    writing = undefined
  }
  return {
    append: (entry) =>
      new Promise((done, fail) => {
        waiting.push({ line: `${JSON.stringify(entry)}\n`, done, fail })
        writing ??= flush()
      }),
    async close() {
      await writing
      await file.close()
    },
  }
}

/** Replays the lines that end in a newline; answers how many bytes they take. */
const readWhole = async <T>(path: string, replay: (entry: T) => void): Promise<number> => {
  let whole = 0
  let rest = Buffer.alloc(0)
  for await (const chunk of createReadStream(path)) {
    rest = Buffer.concat([rest, chunk as Buffer])
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      replay(JSON.parse(rest.subarray(0, end).toString('utf8')) as T)
      whole += end + 1
      rest = rest.subarray(end + 1)
    }
  }
  return whole
}
