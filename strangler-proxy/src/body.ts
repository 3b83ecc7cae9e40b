import type { IncomingMessage } from 'node:http'
import { PassThrough, type Readable, Stream, Transform } from 'node:stream'

/** Bodies up to here are kept while a context is on the move, so that a refused request can be sent again. */
export const KEPT_BYTES = 1024 * 1024
/**
 * Announced bodies up to here are kept at any time: what goes to an instance that has just died was not sent, and can be
 * sent to another one only as long as its body is here.
 */
const SMALL_BYTES = 64 * 1024

/**
 * A whole body of up to this many bytes is sent as text: Node joins a head with text alone, and one write costs less
 * than two. Any byte survives being Latin-1.
 */
export const ONE_WRITE_BYTES = 4_096

export type Body =
  /** There is none, or all of it is here: the request can be sent again. */
  | { readonly kind: 'kept'; readonly bytes: Buffer | null }
  /**
   * It passes through as it arrives, once. Null: straight from the request; else made when somebody listens.
   * `held`: how many bytes of it are in memory until then.
   */
  | { readonly kind: 'stream'; readonly from: (() => Readable) | null; readonly held: number }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'gone' }

/** Whether a request announces a body. */
export function hasBody(req: IncomingMessage): boolean {
  const length = req.headers['content-length']
  return (length !== undefined && length !== '0') || req.headers['transfer-encoding'] !== undefined
}

/**
 * The body as it arrives, unless it is small; with a limit, an unannounced length is counted on the way and cut when it is
 * over.
 */
export function takeBody(req: IncomingMessage, limit: number | null): Body | Promise<Body> {
  if (!hasBody(req)) return { kind: 'kept', bytes: null }
  const length = Number(req.headers['content-length'])
  if (limit !== null && length > limit) return { kind: 'too-large' }
  if (length <= SMALL_BYTES) return keepBody(req, limit)
  if (limit === null || !Number.isNaN(length)) return { kind: 'stream', from: null, held: 0 }
  return { kind: 'stream', from: () => req.pipe(countTo(limit)), held: 0 }
}

/**
 * Reads a body of at most KEPT_BYTES to its end and keeps it; a longer one, announced or not, will stream. The
 * request's headers are made to fit: a kept body has a length.
 */
export async function keepBody(req: IncomingMessage, limit: number | null): Promise<Body> {
  if (!hasBody(req)) return { kind: 'kept', bytes: null }
  const length = Number(req.headers['content-length'])
  if (limit !== null && length > limit) return { kind: 'too-large' }
  if (length > KEPT_BYTES) return { kind: 'stream', from: null, held: 0 }
  const read = await readUpTo(req, KEPT_BYTES)
  if (read === null) return { kind: 'gone' }
  if (limit !== null && read.bytes > limit) return { kind: 'too-large' }
  if (!read.ended) return { kind: 'stream', from: () => restOf(req, read.chunks, limit), held: read.bytes }
  delete req.headers['transfer-encoding']
  req.headers['content-length'] = String(read.bytes)
  return { kind: 'kept', bytes: Buffer.concat(read.chunks) }
}

/**
 * A body that is all here, or none at all. Whoever pipes it gets one write that ends the request, in place of a stream
 * that puts a dozen listeners up and takes them down again for one buffer or for nothing.
 */
export class WholeBody extends Stream {
  readonly #bytes: Buffer | null
  constructor(bytes: Buffer | null) {
    super()
    this.#bytes = bytes
  }
  override pipe<To extends NodeJS.WritableStream>(to: To): To {
    if (this.#bytes === null) to.end()
    else if (this.#bytes.length > ONE_WRITE_BYTES) to.end(this.#bytes)
    else to.end(this.#bytes.toString('latin1'), 'latin1')
    return to
  }
}

export const NO_BODY = new WholeBody(null)

/** The error of a body that turned out longer than its route allows. */
export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge'
}

interface Read {
  readonly chunks: Buffer[]
  readonly bytes: number
  readonly ended: boolean
}

function readUpTo(req: IncomingMessage, most: number): Promise<Read | null> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const done = (result: Read | null) => {
      req.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose)
      resolve(result)
    }
    const onData = (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes <= most) return
      req.pause()
      done({ chunks, bytes, ended: false })
    }
    const onEnd = () => done({ chunks, bytes, ended: true })
    const onClose = () => done(null)
    req.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose)
  })
}

function restOf(req: IncomingMessage, chunks: readonly Buffer[], limit: number | null): Readable {
  const whole = limit === null ? new PassThrough() : countTo(limit)
  for (const chunk of chunks) whole.write(chunk)
  return req.pipe(whole)
}

function countTo(limit: number): Transform {
  let seen = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, pass) {
      seen += chunk.length
      if (seen > limit) pass(new BodyTooLarge(`more than ${limit} bytes`))
      else pass(null, chunk)
    },
  })
}
