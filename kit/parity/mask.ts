import { createHmac, randomBytes } from 'node:crypto'

/** Replaces secrets in whatever is about to be kept. */
export type Mask = {
  value(value: unknown): unknown
  text(text: string): string
}

const SECRET_NAME =
  /pass(word|wd|phrase)?|secret|token|authori[sz]ation|cookie|api-?key|private|credential|card|cvc|iban/i
const SECRET_TEXT = [
  /\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, // a JWT
  /\bBearer\s+[\w.~+/-]+=*/gi,
  /\$argon2\w*\$[^\s"]+/g,
  /\b[\w.+-]+@[\w-]+(\.[\w-]+)+\b/g, // an e-mail address
  /\b(?:\d[ -]?){13,19}\b/g, // a card number
]

/**
 * A mask of one run: the same secret gets the same name within the run, so that a reader still sees equal and
 * different; with the next run's key it gets another, so that nobody can try words against a report.
 * @param known secrets of this run, such as its tokens, found wherever they stand
 */
export function createMask(known: readonly string[] = []): Mask {
  const key = randomBytes(16)
  const name = (secret: string) => `‹secret ${createHmac('sha256', key).update(secret).digest('hex').slice(0, 6)}›`
  const words = known.filter((word) => word.length >= 6).sort((a, b) => b.length - a.length)

  function text(given: string): string {
    let result = given
    for (const word of words) if (result.includes(word)) result = result.replaceAll(word, name(word))
    for (const form of SECRET_TEXT) result = result.replaceAll(form, (found) => name(found))
    return result
  }

  function value(given: unknown, secret = false): unknown {
    if (Array.isArray(given)) return given.map((item) => value(item, secret))
    if (typeof given === 'object' && given !== null)
      return Object.fromEntries(
        Object.entries(given).map(([member, item]) => [text(member), value(item, secret || SECRET_NAME.test(member))]),
      )
    if (given === null || given === undefined || typeof given === 'boolean') return given
    if (secret) return name(String(given))
    return typeof given === 'string' ? text(given) : given
  }
  return { text, value: (given) => value(given) }
}
