/** The recorder's thread: masks each exchange and only then writes it, so that neither costs a request anything. */
import { closeSync, constants, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { createMaskExchange, RECORDING_VERSION } from '@banyan/kit/parity/recording'
import type { Exchange, WriterData, Written } from './exchange.ts'
import { textOf } from './text-of.ts'

const { file, share, at, personal, claims, maxBytes } = workerData as WriterData

mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
// Never a file that is there already, nor one that a link points to.
const to = openSync(file, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600)
const mask = createMaskExchange({ personal, claims })
let bytes = write({ recording: RECORDING_VERSION, at, share })
const say = (what: Written) => parentPort!.postMessage(what)

parentPort!.on('message', (exchange: Exchange | 'end') => {
  if (exchange === 'end') {
    closeSync(to)
    parentPort!.close()
    return
  }
  let line: object
  try {
    line = mask({ ...exchange, body: textOf(exchange.body), answerBody: textOf(exchange.answerBody) })
  } catch (error) {
    // What cannot be masked is not kept; its message may say what it held.
    say({ failed: (error as Error).name })
    return
  }
  if (bytes >= maxBytes) return say({ full: true })
  const written = write(line)
  bytes += written
  say({ written })
})

/** A disk that is full throws, which ends the recording; a cut line is the last one, and readers leave it out. */
function write(line: object): number {
  const whole = Buffer.from(`${JSON.stringify(line)}\n`)
  for (let done = 0; done < whole.length; ) done += writeSync(to, whole, done)
  return whole.length
}
