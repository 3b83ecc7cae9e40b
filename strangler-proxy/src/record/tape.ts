import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Taped } from './exchange.ts'

/** Bytes of a body that are kept at most; of a longer one none are. */
export const TAPE_BYTES = 64 * 1024

/** Only what has members that say what is secret is of use to a recording. */
const WITH_MEMBERS = /[/+]json\b|x-www-form-urlencoded/i

/**
 * Listens to a body while somebody else reads it; it neither starts, nor slows, nor keeps it from ending.
 * @param types the content types that are kept
 */
export function tape(message: IncomingMessage, types: RegExp = WITH_MEMBERS): () => Taped | undefined {
  const type = message.headers['content-type'] ?? ''
  const coding = message.headers['content-encoding'] ?? ''
  if (!types.test(type)) {
    let any = false
    listen(message, () => {
      any = true
      return false
    })
    return () => (any ? { omitted: 'type' } : undefined)
  }
  const chunks: Uint8Array[] = []
  let bytes = 0
  listen(message, (chunk) => {
    bytes += chunk.length
    if (bytes <= TAPE_BYTES) chunks.push(chunk)
    else chunks.length = 0
    return bytes <= TAPE_BYTES
  })
  return () => {
    if (bytes === 0) return undefined
    if (bytes > TAPE_BYTES) return { omitted: 'size' }
    return message.complete ? { bytes: Buffer.concat(chunks), type, coding } : { omitted: 'unfinished' }
  }
}

/**
 * `message.on('data')` would make the body flow before its reader is there, and lose its beginning; a listener that the
 * stream does not know of hears only what flows anyway.
 * @param hear says whether it wants to hear more
 */
function listen(message: IncomingMessage, hear: (chunk: Uint8Array) => boolean): void {
  const onData = (chunk: Uint8Array) => {
    if (!hear(chunk)) EventEmitter.prototype.off.call(message, 'data', onData)
  }
  EventEmitter.prototype.on.call(message, 'data', onData)
}
