import { readEagerly } from './reserved.ts'

// The request target, in the one spelling that both the decision and the upstream see. What could be read in two ways
// is refused; what only has two spellings is rewritten to the shorter one.

export type Target =
  | { readonly ok: true; readonly url: string; readonly path: string }
  | { readonly ok: false; readonly why: string }

const PLAIN = /^(?:\/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9._~!$&'()*+,=:@-]*)+\/?$|^\/$/
const ESCAPE = /%([0-9a-f]{2})?/gi
const UNRESERVED = /[A-Za-z0-9._~-]/
/** A segment of dots, or of nothing, once its parameters and blanks are gone: somebody walks up by it, or past it. */
const WALKED = /[/\\][.\s]*(?:;[^/\\]*)?[/\\]|[/\\]\s*\.+\s*(?:;[^/\\]*)?$/
/** A backslash or a control character: what ends a name or a path to one server, and is dropped by another. */
const HIDDEN = /[^\x20-\x5b\x5d-\x7e\x80-\u{10ffff}]/u

/**
 * Normalises a request target in origin form (`/path?query`).
 * Refused: absolute and asterisk form, `//`, dot segments however often they are escaped, escaped slashes, backslashes,
 * path parameters (`;`, which some servers cut off before they look), fragments, control characters, escapes that are
 * broken or no UTF-8, and backslashes or control characters that are escaped more than once. Rewritten: an escape that
 * stands for a letter, digit, `-._~`.
 */
export function normaliseTarget(raw: string): Target {
  const mark = raw.indexOf('?')
  const path = mark === -1 ? raw : raw.slice(0, mark)
  if (raw.includes('#')) return refuse('a fragment has no place in a request')
  if (PLAIN.test(path)) return { ok: true, url: raw, path }
  if (!path.startsWith('/')) return refuse('only the origin form "/path" is accepted')
  if (path.includes(';')) return refuse('the path has a parameter (";"), which servers read differently')
  if (path.includes('//')) return refuse('the path has an empty segment ("//")')
  if (/[\\\0-\x20\x7f-\uffff]/.test(path)) return refuse('the path has a character that must be escaped')
  let broken: string | null = null
  const plain = path.replace(ESCAPE, (escaped, hex: string | undefined) => {
    if (hex === undefined) broken = `the escape at "${escaped}" is broken`
    const char = String.fromCharCode(Number.parseInt(hex ?? '0', 16))
    if (char === '/' || char === '\\' || char < ' ' || char === '\x7f')
      broken ??= `"${escaped}" may not be escaped into a path`
    return UNRESERVED.test(char) ? char : escaped.toUpperCase()
  })
  if (broken) return refuse(broken)
  const read = readEagerly(plain)
  if (read === null) return refuse('the path has an escape that is not UTF-8, or escapes within escapes')
  if (WALKED.test(read)) return refuse('the path has a dot segment, or one that is empty to some')
  if (HIDDEN.test(read)) return refuse('the path has an escape within an escape that ends it, or a segment, to some')
  return { ok: true, url: mark === -1 ? plain : plain + raw.slice(mark), path: plain }
}

function refuse(why: string): Target {
  return { ok: false, why }
}
