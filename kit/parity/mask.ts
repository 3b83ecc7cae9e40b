import { createHmac, createSecretKey, randomBytes } from 'node:crypto'
import { isCardNumber, replaceCardNumbers } from './card-number.ts'

/** Replaces secrets in whatever is about to be kept. */
export type Mask = {
  value(value: unknown): unknown
  /** What stands at a path such as `$.body.refreshToken`: the names on the way to it may say that it is a secret. */
  at(path: string, value: unknown): unknown
  text(text: string): string
}

/** What a secret looks like: its kind stays known where a stand-in has to be made of it. */
export type SecretKind = 'secret' | 'token' | 'email' | 'card' | 'phone' | 'number'

export type MaskOptions = {
  /** Members beside the usual ones whose value is never kept. */
  isPersonal?: ((member: string) => boolean) | undefined
  /** Looks harder, at the cost of masking what is none: long words, phone numbers, JSON and `key=value` within texts. */
  strict?: boolean | undefined
  /** Words that became known later: those of what is being masked, wherever they stand, and earlier ones as whole words. */
  learned?: { readonly now: () => readonly string[]; has(word: string): boolean } | undefined
  /** How a secret is written, by its kind and its digest, 64 hexadecimal digits; as `‹secret 1a2b3c›` without it. */
  write?: ((kind: SecretKind, digest: string) => string) | undefined
}

const SECRET_NAME =
  /pass(word|wd|phrase)?|secret|token|authori[sz]ation|cookie|api[-_]?key|private|credential|card|cvc|cvv|iban|session[-_]?id/i
/** Words of a name, each of which is one. */
const SECRET_WORD = /(^|[-_])(pin|otp|totp|ssn|pwd|jwt|sid|(access|signing|encryption)[-_]?key)($|[-_])/i
/** From the beginning of a word on alone: from within a long one, each letter would look through the rest of it. */
const EMAIL = /(?<![\w.+-])[\w.+-]+@[\w-]+(\.[\w-]+)+\b/g
/**
 * A JWT. What follows the word is looked at once, from the beginning of the word on, and with it goes what a hyphen joins
 * to its front: of a long word that says `eyJ` again and again, each would look through the rest.
 */
const JWT = /(?<![\w-])(?=[\w-]+\.[\w-]+\.[\w-])[\w-]*?\beyJ[\w-]+\.[\w-]+\.[\w-]+/g
const SECRET_TEXT: readonly (readonly [SecretKind, RegExp])[] = [
  ['token', JWT],
  ['token', /\bBearer\s+[\w.~+/-]+=*/gi],
  ['secret', /\$argon2\w*\$[^\s"]+/g],
  ['email', EMAIL],
]
const STRICT_TEXT: readonly (readonly [SecretKind, RegExp])[] = [
  ['token', /\bBasic\s+[\w+/-]+=*/gi],
  ['secret', /-----BEGIN[^-]+-----[\s\S]*?(-----END[^-]+-----|$)/g],
  ['secret', /\b(?:[spr]k|gh[pousr]|xox[abprs]|AKIA)[-_]?\w{12,}\b/g],
  ['secret', /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b/g], // an IBAN
  ['phone', /\+\d[\d ()/-]{6,}\d/g],
]
/** What a name tells is a card's may be mistyped. */
const CARD = /\b(?:\d[ -]?){13,19}\b/g
/** Long words of letters and digits: keys, sessions, hashes. */
const OPAQUE = /(?<![\w+=-])(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{32,}/g
/** A UUID is an id and stays, as does one behind the name of what it is the id of: `order-…`. */
const ID = /^(?:([a-z]{3,20})[-_])?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const NAME_OF_A_SECRET = /key|session|sid|auth|login|sign/i
const SAID_IN_TEXT = /((?:passw|secret|token|api[-_]?key|credential)[\w-]{0,100}["']?\s*[:=]\s*["']?)([^\s"'&,;{}‹]+)/gi
const WORD = /[^\s"'<>,;:(){}[\]/?&=‹›]{6,}/g

/** Whether a member of this name holds a secret, whatever its value looks like. */
export function isSecretName(member: string): boolean {
  return SECRET_NAME.test(member) || SECRET_WORD.test(member.replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2'))
}

/**
 * A mask of one run: the same secret gets the same name within the run, so that a reader still sees equal and
 * different; with the next run's key it gets another, so that nobody can try words against a report.
 * @param known secrets of this run, such as its tokens, found wherever they stand
 */
export function createMask(known: readonly string[] = [], options: MaskOptions = {}): Mask {
  const key = createSecretKey(randomBytes(16))
  const write = options.write ?? ((_kind: SecretKind, digest: string) => `‹secret ${digest.slice(0, 6)}›`)
  const name = (secret: string, kind: SecretKind) => write(kind, createHmac('sha256', key).update(secret).digest('hex'))
  const words = known.filter((word) => word.length >= 6).sort((a, b) => b.length - a.length)
  const { learned } = options
  const forms = options.strict ? [...STRICT_TEXT, ...SECRET_TEXT] : SECRET_TEXT
  const isSecret = (member: string) => isSecretName(member) || options.isPersonal?.(member) === true

  function text(given: string): string {
    let result = given
    for (const word of learned ? [...learned.now(), ...words] : words)
      if (result.includes(word)) result = result.replaceAll(word, name(word, kindOf(word)))
    if (learned) result = result.replaceAll(WORD, (word) => (learned.has(word) ? name(word, kindOf(word)) : word))
    if (options.strict) result = result.replaceAll(SAID_IN_TEXT, (_, said, secret) => said + name(secret, 'secret'))
    for (const [kind, form] of forms) result = result.replaceAll(form, (found) => name(found, kind))
    result = replaceCardNumbers(result, (found) => name(found, 'card'))
    if (!options.strict) return result
    return result.replaceAll(OPAQUE, (found) => (isId(found) ? found : name(found, 'secret')))
  }

  function value(given: unknown, secret = false): unknown {
    if (Array.isArray(given)) return given.map((item) => value(item, secret))
    if (typeof given === 'object' && given !== null)
      return Object.fromEntries(
        Object.entries(given).map(([member, item]) => [text(member), value(item, secret || isSecret(member))]),
      )
    if (given === null || given === undefined || typeof given === 'boolean') return given
    if (secret) return name(String(given), typeof given === 'number' ? 'number' : kindOf(String(given)))
    if (typeof given === 'number')
      return options.strict && isCardNumber(String(given)) ? name(String(given), 'number') : given
    return typeof given === 'string' ? within(given) : given
  }

  /** JSON in a text is looked at by its members, like any other. */
  function within(given: string): string {
    if (!options.strict || !/^\s*[{[]/.test(given)) return text(given)
    try {
      return JSON.stringify(value(JSON.parse(given)))
    } catch {
      return text(given)
    }
  }
  return { text, value: (given) => value(given), at: (path, given) => value(given, leadsToSecret(path, isSecret)) }
}

/** Neither a table's name, nor that it is the body of an answer, says that all in it are secrets. */
function leadsToSecret(path: string, isSecret: (member: string) => boolean): boolean {
  const names = path.replace(/^\$\.(rows\.[^.[\]]+|body)/, '$').split(/[.[\]]+/)
  return names.some(isSecret)
}

/** The kind of a whole text, the same whether its name gave it away or its form. */
function kindOf(secret: string): SecretKind {
  const whole = (form: RegExp) => secret.replace(new RegExp(form.source, form.flags.replace('g', '')), '') === ''
  return [...STRICT_TEXT, ...SECRET_TEXT, ['card', CARD] as const].find(([, form]) => whole(form))?.[0] ?? 'secret'
}

function isId(word: string): boolean {
  const [whole, of = ''] = ID.exec(word) ?? []
  return whole !== undefined && !SECRET_NAME.test(of) && !NAME_OF_A_SECRET.test(of)
}
