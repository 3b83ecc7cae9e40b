import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import type { CapturedBody } from '@banyan/kit/parity/recording'
import type { Taped } from './exchange.ts'
import { TAPE_BYTES } from './tape.ts'

const DECODED_BYTES = 8 * TAPE_BYTES
const DECODERS: Readonly<Record<string, (bytes: Uint8Array, options: { maxOutputLength: number }) => Buffer>> = {
  gzip: gunzipSync,
  br: brotliDecompressSync,
  deflate: inflateSync,
}

/** A taped body as text, with its coding undone; undefined where there was none. */
export function textOf(taped: Taped | undefined): CapturedBody | undefined {
  if (taped === undefined || 'omitted' in taped) return taped
  const { bytes: coded, type, coding } = taped
  if (coding === '' || coding === 'identity') return { text: Buffer.from(coded).toString(), type }
  try {
    return { text: DECODERS[coding]!(coded, { maxOutputLength: DECODED_BYTES }).toString(), type }
  } catch {
    return { omitted: 'coding' }
  }
}
