import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto'

/** Signs short texts and checks them; what was checked once is remembered, so that a request costs no HMAC. */
export interface Signer {
  /** `text.signature`; the signature covers the purpose too, so that a text signed for one use is worthless in another. */
  sign(purpose: string, text: string): string
  /** The text of what `sign` made for this purpose, else null. */
  open(purpose: string, signed: string): string | null
}

/** Entries remembered at most; a full memory is forgotten whole, which costs one HMAC each. */
const REMEMBERED = 20_000

export function createSigner(secret: string): Signer {
  const key = createSecretKey(secret, 'utf8')
  const verified = new Map<string, string>()
  const signatureOf = (purpose: string, text: string) =>
    createHmac('sha256', key).update(`${purpose}\n${text}`).digest('base64url')
  return {
    sign: (purpose, text) => `${text}.${signatureOf(purpose, text)}`,
    open(purpose, signed) {
      const memory = `${purpose}\n${signed}`
      const known = verified.get(memory)
      if (known !== undefined) return known
      const dot = signed.lastIndexOf('.')
      if (dot <= 0) return null
      const text = signed.slice(0, dot)
      const given = Buffer.from(signed.slice(dot + 1))
      const right = Buffer.from(signatureOf(purpose, text))
      if (given.length !== right.length || !timingSafeEqual(given, right)) return null
      if (verified.size >= REMEMBERED) verified.clear()
      verified.set(memory, text)
      return text
    },
  }
}
