import type { ClientRequest, IncomingMessage } from 'node:http'

const DISCARD_WITHIN_MS = 500

export const ignore = () => undefined

/**
 * Reads a refusal to its end, which frees its connection; one that does not end soon is cut. The forwarder's listeners
 * go: whatever becomes of this answer, they would cut off the client or fail the next sending, which has its own.
 */
export function discard(from: IncomingMessage, request: ClientRequest | null): void {
  request?.removeAllListeners('error').on('error', ignore)
  // The forwarder adds its own to the answer once this handler has returned.
  process.nextTick(() => {
    from.removeAllListeners('error').removeAllListeners('close').on('error', ignore)
    const cut = setTimeout(() => from.destroy(), DISCARD_WITHIN_MS)
    from.once('close', () => {
      clearTimeout(cut)
      if (!from.complete) request?.destroy()
    })
    from.resume()
  })
}
